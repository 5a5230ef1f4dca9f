"""How far sequential float32 sums drift from exact ones, measured on some of the terms that an operator adds up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import torch

UNIT = torch.finfo(torch.float32).eps / 2
LONGEST = 1 << 20
"""More terms than that cannot be summed one by one in float32: kernels sum them in parts."""
ROWS, TERMS = 32, 1 << 18
"""Sums that are tried, and terms of all of them together; one sum at least."""
ROUNDING = 0.41
"""Standard deviation of a rounding to the nearest number, in units of roundoff of the number: its spacing, which is one
to two units, over sqrt(12)."""
SEEN_DEVIATIONS = 2.5
"""The largest error that is seen counts as so many standard deviations."""
EVIDENT = 4.0
"""Errors that have a mean of so many standard errors are not independent."""


ALIKE = 0.99
"""The share of a mean square that is the square of the mean, where values are of nearly one size."""
SAME_WAY = 24.0
"""Terms for each unit of roundoff, as a standard deviation, where roundings do not cancel."""


class Drift(NamedTuple):
    """Standard deviations of a sum's error, in units of roundoff of its scale, `scale_of`."""

    random: float
    """Of what differs from sum to sum."""
    shared: float = 0.0
    """Of what all sums have in common: absorbed terms, ties that are always rounded the same way."""


def alike(tensor: torch.Tensor) -> bool:
    """True for values of one sign and nearly one size."""
    norm = float(torch.linalg.vector_norm(tensor))
    mean = float(tensor.mean()) if tensor.numel() else 0.0
    return bool(mean * mean * tensor.numel() > ALIKE * norm * norm)


def of_products(drift: Drift, count: int, one: torch.Tensor, other: torch.Tensor) -> Drift:
    """That of a sum of ``count`` products of elements of two tensors.

    Kernels may split operands into narrower parts. Where all products are nearly equal, those of the parts are few
    numbers, which may be rounded the same way each time.
    """
    if not (alike(one) and alike(other)):
        return drift
    return drift._replace(random=max(drift.random, min(count, LONGEST) / SAME_WAY))


@cache
def generator_of(device: torch.device) -> torch.Generator:
    """That of all errors: by the states of the others it is seen whether a forward draws random numbers."""
    found = torch.Generator(device)
    found.seed()
    return found


def some_places(size: int, count: int, device: torch.device) -> torch.Tensor:
    """``count`` places of ``size``, [count]."""
    return torch.randint(size, (count,), device=device, generator=generator_of(device))


def scale_of(total: torch.Tensor, norm: torch.Tensor) -> torch.Tensor:
    """The scale of a sum: its magnitude, and the root of the sum of squares of its terms."""
    return total.abs() + norm


def typical(count: int) -> Drift:
    """That of a sum of ``count`` terms of one size and either sign."""
    return Drift(ROUNDING * math.sqrt(min(count, LONGEST)))


def drift_of(terms: torch.Tensor, scale: torch.Tensor) -> Drift:
    """Measure the drift of sums, one a row of ``terms`` [sums, terms]; ``scale`` [sums] is theirs."""
    values = terms.detach().cpu().double().numpy()
    units = UNIT * scale.detach().cpu().double().numpy()
    # From the back as well: what comes first decides what the others are added to.
    values = np.concatenate([values, values[:, ::-1]])
    units = np.concatenate([units, units])
    known = np.isfinite(values).all(1) & np.isfinite(units) & (units > 0)
    values, units = values[known], units[known]
    if not len(values):
        return typical(terms.shape[1])
    with np.errstate(over="ignore", invalid="ignore"):
        partial = np.add.accumulate(values, axis=1, dtype=np.float32).astype(np.float64)
        error = (partial[:, -1] - values.sum(1)) / units
        # Nothing is rounded where nothing is added.
        walk = ROUNDING * UNIT * np.sqrt(np.square(np.where(values != 0, partial, 0.0)).sum(1)) / units
    if not (np.isfinite(error).all() and np.isfinite(walk).all()):
        return typical(terms.shape[1])
    mean, deviation = float(error.mean()), float(error.std())
    # One sum from either end is still one: two alike show no drift.
    evident = len(terms) > 1 and abs(mean) > EVIDENT * deviation / math.sqrt(len(error))
    random = max(float(walk.max()), float(np.abs(error).max()) / SEEN_DEVIATIONS)
    return Drift(random, abs(mean) if evident else 0.0)


def some_sums(tensor: torch.Tensor, dims: Sequence[int]) -> torch.Tensor:
    """The terms, [sums, terms], of some of the sums over ``dims`` of a tensor."""
    kept = [d for d in range(tensor.dim()) if d not in dims]
    ordered = tensor.permute(*kept, *dims)
    if not kept:
        return ordered.reshape(1, -1)[:, :LONGEST]
    sizes = [tensor.shape[d] for d in kept]
    number, count = math.prod(sizes), math.prod(tensor.shape[d] for d in dims)
    tried = sampled(count, number)
    return ordered[_places(tensor, dims, sizes, tried)].reshape(tried, -1)[:, :LONGEST]


def _places(tensor: torch.Tensor, dims: Sequence[int], sizes: Sequence[int], tried: int) -> tuple[torch.Tensor, ...]:
    """Where sums of a tensor are, for each dimension that is kept: a quarter of them those of the largest terms.

    In these, many small terms are absorbed. There may be only a few such sums, each wrong by more than all others.
    """
    number, device = math.prod(sizes), tensor.device
    if tried == number:
        chosen = torch.arange(number)
    else:
        largest = torch.maximum(tensor.amax(dims), -tensor.amin(dims)).flatten()
        most = largest.topk((tried + 3) // 4).indices
        chosen = torch.cat([most, some_places(number, tried - len(most), device)]).cpu()
    # torch's own `unravel_index` imports its compiler.
    return tuple(map(torch.from_numpy, np.unravel_index(chosen.numpy(), sizes)))


def sampled(count: int, number: int) -> int:
    """Of how many of ``number`` sums of ``count`` terms the drift is measured."""
    return max(1, min(ROWS, number, TERMS // max(1, count)))
