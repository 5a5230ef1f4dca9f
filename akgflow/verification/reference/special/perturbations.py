"""Inputs made from known ones, in secret places.

Single-element perturbations: all other inputs differ everywhere, so a kernel could cache its answers under a key made
of a few elements or of the corners. A perturbed input has the same such key, the same addresses, and another answer.

Inputs of few terms: where one number is made from many, errors of single terms average out, and roundoff adds up. With
one row repeated nothing averages out; with nearly all elements zero, hardly anything adds up.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import count
from typing import Any

import torch

from akgflow.verification.reference.distributions import InputInvariant
from akgflow.verification.reference.tolerance import Expected, fits
from akgflow.verification.shared import dtypes
from akgflow.verification.shared.memory import map_tensors, tensors

PERTURBED, REPEATED, SPARSE = "one element changed", "one row repeated", "mostly zeros"
"""The names of such draws' distributions."""
MANY, FEW = 64, 32
"""An output is made from many where there are so many times more inputs; mostly zeros leave it about so few."""
_secret = random.SystemRandom()


OTHER, FAR, OUT_OF_RANGE = "other", "far", "out of range"
"""New values: another element's, the end of the range that is further away, twice the largest."""


def single_element_perturbations(
    made: Any, invariants: Sequence[InputInvariant], values: Sequence[str]
) -> list[Iterator[Any]]:
    """For each tensor, in secret order, copies of ``made`` with one element of it changed, one for each of ``values``.

    Only tensors whose elements are independent are changed; ``invariants`` are in tensor order.
    """
    places = [i for i, invariant in enumerate(invariants) if invariant.plain]
    _secret.shuffle(places)
    return [map(partial(_with_one_changed, made, place), values) for place in places]


def _with_one_changed(made: Any, wanted: int, value: str) -> Any:
    numbers = count()
    return map_tensors(made, lambda t: _changed(t, value) if next(numbers) == wanted else t)


def _changed(tensor: torch.Tensor, kind: str) -> torch.Tensor:
    """A copy in which one secret element, no corner if that can be helped, has another value."""
    if tensor.dtype not in dtypes.COMPUTED:
        return dtypes.stored(_changed(dtypes.as_float64(tensor).contiguous(), kind), tensor)
    found = tensor.clone()
    at = tuple(_secret.randrange(1, size - 1) if size > 2 else _secret.randrange(size) for size in tensor.shape)
    least, most = tensor.min(), tensor.max()
    if kind == OTHER:
        row = tensor.flatten()
        drawn = (row[_secret.randrange(row.numel())] for _ in range(8))
        found[at] = next((value for value in drawn if value != tensor[at]), most)
    elif kind == FAR:
        found[at] = least if most - tensor[at] < tensor[at] - least else most
    else:
        found[at] = 2 * most if most > 0 else most + (most - least)
    return found


def of_few_terms(
    made: Any, outputs: int, invariants: Sequence[InputInvariant], confined: bool
) -> Iterator[tuple[str, Any]]:
    """Inputs whose ``outputs`` elements are made from few others, by their names; none where there are not many.

    ``confined``: values must stay in the range of the operator's own.
    """
    given = list(tensors(made))
    largest = max(given, key=torch.Tensor.numel, default=None)
    if largest is None or not outputs or largest.numel() < MANY * outputs:
        return
    rows = largest.shape[0]
    along = [one.dim() > 0 and one.shape[0] == rows for one in given]
    if rows > 1 and all(map(_repeatable, given, invariants, along)):
        row, number = _secret.randrange(rows), count()
        yield REPEATED, map_tensors(made, lambda t: t[row : row + 1].expand_as(t).clone() if along[next(number)] else t)
    within = all(one.low <= 0 <= one.high for one in invariants if one.random)
    if within or not confined:
        numbers = count()
        kept: dict[torch.Size, torch.Tensor] = {}

        def thinned(tensor: torch.Tensor) -> torch.Tensor:
            plain = invariants[next(numbers)].plain
            many = plain and tensor.numel() >= MANY * outputs
            if not many or tensor.dtype not in dtypes.COMPUTED:
                return tensor
            # What is multiplied, subtracted or compared element by element must have the same zeros.
            if tensor.shape not in kept:
                share = FEW * outputs / tensor.numel()
                kept[tensor.shape] = torch.rand(tensor.shape, device=tensor.device) < share
            return tensor.where(kept[tensor.shape], 0.0)

        yield SPARSE, map_tensors(made, thinned)


def _repeatable(tensor: torch.Tensor, invariant: InputInvariant, along: bool) -> bool:
    """True where one row may stand in the place of all: neither offsets, lengths nor a permutation."""
    if not along or invariant.plain:
        return True
    if tensor.is_floating_point() or tensor.is_complex() or tensor.dim() != 1 or tensor.dtype == torch.bool:
        return not invariant.random and tensor.dtype == torch.bool
    return tensor.unique().numel() < tensor.numel() and bool((tensor.diff() < 0).any())


def distinguishes(known: Sequence[Expected], outcome: Sequence[torch.Tensor]) -> bool:
    """True when the ``outcome`` of other inputs is well outside what would pass as the ``known`` one."""
    for expected, other in zip(known, outcome, strict=False):
        if other.shape != expected.framework.shape:
            # The shape depends on the data: such inputs would be another case.
            return False
        if expected.bound is None:
            if not fits(other.to(expected.framework.dtype), expected, 1.0):
                return True
        elif bool(((dtypes.as_float64(other) - expected.oracle).abs() > 4 * expected.bound).any()):
            return True
    return False
