"""Following an operator from shapes alone: nothing of its size is allocated. Judge only.

The operator is set up on meta tensors. What needs values there is set up on fake ones, with a real model where
constructing it needs values, too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

import torch

from akgflow.verification.reference.operator import Case, OperatorError, seeded

T = TypeVar("T")
Follow = Callable[[Case, Any, Any], T]
"""What is done with a case, its model and its inputs."""


def without_memory(case: Case, follow: Follow[T]) -> T:
    """What ``follow`` finds with a model and inputs that hold no values; raises `OperatorError` where no way does."""
    failed: Exception | None = None
    for way in (_on_meta, _on_fakes, _on_fake_inputs):
        try:
            with seeded(0), torch.no_grad():
                return way(case, follow)
        except Exception as error:
            failed = failed or error
    raise OperatorError(f"what the operator takes cannot be traced: {type(failed).__name__}: {failed}")


def _on_meta(case: Case, follow: Follow[T]) -> T:
    with torch.device("meta"):
        return follow(case, case.model(), case.make_inputs())


def _on_fakes(case: Case, follow: Follow[T]) -> T:
    with _fake_mode():
        return follow(case, case.model(), case.make_inputs())


def _on_fake_inputs(case: Case, follow: Follow[T]) -> T:
    model = case.model()
    with _fake_mode():
        return follow(case, model, case.make_inputs())


def _fake_mode() -> contextlib.AbstractContextManager[Any]:
    # Its import takes seconds.
    from torch._subclasses.fake_tensor import FakeTensorMode

    found: contextlib.AbstractContextManager[Any] = FakeTensorMode(allow_non_fake_inputs=True)
    return found
