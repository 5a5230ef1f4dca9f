"""Forwards in float64 of operators that name a dtype: what they make or convert to float32 is float64 as well."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from akgflow.verification.reference.tracing.op_count import Tracer

_WIDE = {torch.float32: torch.float64, torch.complex64: torch.complex128}


class Widening(Tracer):
    """Has whatever takes a dtype give float64 in the place of float32."""

    def dispatched(self, func: Any, args: Any, kwargs: Any) -> Any:
        named = {name: _WIDE[one] for name, one in kwargs.items() if isinstance(one, torch.dtype) and one in _WIDE}
        return func(*args, **(kwargs | named))


@contextmanager
def widening() -> Iterator[None]:
    """Run a forward so: also where no dtype is named, which makes float32 by default."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with Widening():
            yield
    finally:
        torch.set_default_dtype(before)
