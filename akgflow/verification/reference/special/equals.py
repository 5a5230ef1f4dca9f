"""Whether an operator's result depends on the order in which equal values are sorted: then kernels may differ in it.

PyTorch guarantees no order of equals for ``topk`` and for a sort that is not asked to be stable. Indices that are given
back are judged by what they select; what is computed from them (a mask, a mass before an element) is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from akgflow.verification.reference.oracle import Oracle
from akgflow.verification.reference.tolerance import Expected
from akgflow.verification.shared import dtypes

SORTS = frozenset({"aten::sort", "aten::topk"})
SAME = 1e-9
"""Of the answers' own size: sums of float64 numbers in another order differ by less."""


class ReversedEquals(TorchDispatchMode):  # type: ignore[misc]
    """Sorts that guarantee no order of equal values give them in reverse."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        if func in (torch.ops.aten.sort.default, torch.ops.aten.sort.stable) and not given.get("stable"):
            return _sorted(*args, **{key: value for key, value in given.items() if key != "stable"})
        if func is torch.ops.aten.topk.default:
            return _largest(*args, **given)
        return func(*args, **given)


def _sorted(x: torch.Tensor, dim: int = -1, descending: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    if x.dim() == 0:
        return x, torch.zeros_like(x, dtype=torch.int64)
    values: torch.Tensor
    places: torch.Tensor
    values, places = torch.sort(x.flip(dim), dim=dim, descending=descending, stable=True)
    return values, x.shape[dim] - 1 - places


def _largest(
    x: torch.Tensor,
    k: int,
    dim: int = -1,
    largest: bool = True,
    sorted: bool = True,  # noqa: ARG001
) -> tuple[torch.Tensor, torch.Tensor]:
    values, places = _sorted(x, dim, largest)
    return (values, places) if x.dim() == 0 else (values.narrow(dim, 0, k), places.narrow(dim, 0, k))


def order_matters(oracle: Oracle, made: tuple[Any, ...], expected: Sequence[Expected]) -> bool:
    """True when an answer that is no index is another one once equal values are sorted the other way round."""
    if not oracle.names & SORTS:
        return False
    with ReversedEquals():
        reversed_ = oracle.with_inputs(made, lambda tensor: tensor)
    for one, other in zip(expected, reversed_, strict=False):
        if one.selection is not None or other.shape != one.oracle.shape:
            continue
        # An operator may give truth values: the oracle holds them as they are.
        centre = one.oracle.double()
        apart = (dtypes.as_float64(other) - centre).abs().nan_to_num(0.0, 0.0, 0.0)
        size = float(centre.abs().nan_to_num(0.0, 0.0, 0.0).amax()) if centre.numel() else 0.0
        if bool((apart > SAME * size).any()):
            return True
    return False
