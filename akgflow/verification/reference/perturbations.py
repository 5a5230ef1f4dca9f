"""Single-element perturbations: inputs that differ from known ones in one secret element.

All other inputs differ everywhere, so a kernel could cache its answers under a key made of a few elements or of the
corners. A perturbed input has the same such key, the same addresses, and another answer.
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
from akgflow.verification.shared.memory import map_tensors

PERTURBED = "one element changed"
"""The name of such a draw's distribution."""
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
