"""A case too large for float64 at full size: one set of inputs at a time, and float64 on slices of it.

Most operators are *separable*: a part of the outputs follows from a part of the inputs (a row of a softmax, a sample of
a batch, a row of a product). Where a trial shows that, such parts are drawn in secret, the float64 oracle answers them,
and the candidate's answer, which it gave to the whole, is compared there as any other. Everything else is compared with
the framework's own kernel; where the two differ by more than both may be wrong, float64 decides on that part, too.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice, product
from typing import Any, NamedTuple

import numpy as np
import torch

from akgflow.verification.reference.tolerance import Comparison, Expected, compare
from akgflow.verification.reference.tracing.runner import Runner
from akgflow.verification.shared import dtypes, memory

MOST_COMBINATIONS = 24
TRIED = 2
"""Parts on which an operator is tried for being separable."""
LOUD = (1000.0, 0.0)
"""Factors of the parts beside those that are tried; the second where an operator refuses values of such size."""
APART = {"cpu": 2e-5, "cuda": 1e-4}
"""How far, relative to the largest, results of a part and of the whole may be apart: convolutions on a GPU are computed
in other ways for other batches."""
PIECE = 1 << 22
"""Elements that are compared with the framework's at once."""
MOST_SUSPECTS = 1 << 16
"""Parts that are noted because the framework and the candidate differ there."""

_secret = random.SystemRandom()


class Separation(NamedTuple):
    """By tensor, the dimension along which it is cut into ``number`` parts; None for an input that every part needs."""

    inputs: tuple[int | None, ...]
    outputs: tuple[int, ...]
    number: int

    def of_inputs(self, made: Any, parts: torch.Tensor) -> Any:
        """The inputs of some parts."""
        dims = iter(self.inputs)
        return memory.map_tensors(made, lambda t: cut(t, next(dims), parts))

    def of_outputs(self, tensors: Sequence[torch.Tensor], parts: torch.Tensor) -> list[torch.Tensor]:
        """The outputs of some parts."""
        return [cut(one, dim, parts) for one, dim in zip(tensors, self.outputs, strict=True)]


def cut(tensor: torch.Tensor, dim: int | None, parts: torch.Tensor) -> torch.Tensor:
    """A copy of some parts of a tensor; the tensor itself where it is not cut."""
    return tensor if dim is None else tensor.index_select(dim, parts.to(tensor.device))


def chosen(count: int, most: int) -> torch.Tensor:
    """So many of the parts, in order, in secret."""
    return torch.tensor(sorted(_secret.sample(range(count), min(most, count))))


def separation(runner: Runner, made: Any, frame: Sequence[torch.Tensor]) -> Separation | None:
    """How an operator can be cut, as a trial on its own inputs shows; None where it cannot."""
    tries = (one for dim in range(frame[0].dim()) for one in _ways(made, frame, dim))
    return next((one for one in islice(tries, MOST_COMBINATIONS) if _holds(runner, made, frame, one)), None)


def _ways(made: Any, frame: Sequence[torch.Tensor], dim: int) -> Iterator[Separation]:
    """Cuts along a dimension of the first output: as many inputs as possible first, along the same dimension first."""
    count = int(frame[0].shape[dim])
    outputs = [_along(one, count, dim) for one in frame]
    if count <= TRIED or any(not dims for dims in outputs):
        return
    options = [[*_along(one, count, dim), None] for one in memory.tensors(made)]
    for inputs in product(*options):
        if any(one is not None for one in inputs):
            yield Separation(inputs, tuple(dims[0] for dims in outputs), count)


def _along(tensor: torch.Tensor, count: int, first: int) -> list[int]:
    dims = [dim for dim, size in enumerate(tensor.shape) if size == count]
    return sorted(dims, key=lambda dim: dim != first)


def _holds(runner: Runner, made: Any, frame: Sequence[torch.Tensor], how: Separation) -> bool:
    parts = chosen(how.number, TRIED)
    found = _ran(runner, how.of_inputs(made, parts))
    wanted = how.of_outputs(frame, parts)
    if found is None or len(found) != len(wanted) or not all(map(_near, found, wanted)):
        return False
    # What passes from part to part as a mean does is small among so many, and large where the others are.
    others = torch.tensor([part for part in chosen(how.number, 2 * TRIED).tolist() if part not in parts][:TRIED])
    for factor in LOUD:
        beside = _ran(runner, _beside(made, how, parts, others, factor))
        if beside is not None:
            return all(map(_near, how.of_outputs(beside, torch.arange(len(parts))), found))
    return False


def _ran(runner: Runner, made: Any) -> list[torch.Tensor] | None:
    """The outputs; None where the operator does not take such inputs."""
    try:
        return runner.own_tensors(runner.run(made))
    except Exception:
        return None


def _beside(made: Any, how: Separation, parts: torch.Tensor, others: torch.Tensor, factor: float) -> Any:
    """The inputs of some parts, and behind them those of others with each real number times ``factor``."""
    dims = iter(how.inputs)

    def of(tensor: torch.Tensor) -> torch.Tensor:
        dim = next(dims)
        both = cut(tensor, dim, torch.cat([parts, others]))
        if dim is None or not dtypes.is_real(both) or both.dtype == dtypes.FLOAT4:
            return both
        loud = both.narrow(dim, len(parts), len(others))
        loud.copy_((dtypes.widened(loud) * factor).to(both.dtype))
        return both

    return memory.map_tensors(made, of)


def _near(one: torch.Tensor, other: torch.Tensor) -> bool:
    """True where two results differ by roundoff at most; whole numbers may differ here and there, at a tie."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if not dtypes.is_real(one):
        return bool(dtypes.same(one, other).double().mean() > 0.99)
    a, b = dtypes.as_float64(one), dtypes.as_float64(other)
    size = float(b.abs().nan_to_num(0.0, 0.0, 0.0).max())
    allowed = max(APART[one.device.type], 8 * dtypes.format_of(one.dtype).eps) * size
    return bool(torch.allclose(a, b, rtol=0.0, atol=allowed, equal_nan=True))


class Part(NamedTuple):
    """Some parts of a set of inputs, and what their outputs must be."""

    parts: torch.Tensor
    inputs: Any
    expected: tuple[Expected, ...]

    @property
    def named(self) -> list[tuple[str, Expected]]:
        """The outputs by name."""
        return [(f"output {i}", one) for i, one in enumerate(self.expected)]


class Screen:
    """How far an answer may be from the framework's, by the size of an element, as seen where float64 was there.

    Both may be as wrong as the bound says, so twice as much is allowed. It condemns nothing: float64 does.
    """

    def __init__(self, decided: Sequence[Part], output: int, tolerance: float) -> None:
        self.most: torch.Tensor | None = None
        self.least = 0.0
        known = [one.expected[output] for one in decided]
        if any(one.bound is None for one in known):
            return
        device = known[0].oracle.device
        table = torch.zeros(512, dtype=torch.float64, device=device)
        for one in known:
            assert one.bound is not None
            size = torch.frexp(dtypes.as_float64(one.framework)).exponent.long().clamp(-255, 255) + 256
            table.scatter_reduce_(0, size.flatten(), one.bound.flatten(), "amax")
        # An element larger than all that were seen may be as much more wrong as it is larger.
        table = table.cummax(0).values
        seen = int((table.diff() > 0).nonzero().max()) + 1 if bool((table.diff() > 0).any()) else 0
        above = torch.arange(512, device=device) - seen
        table = torch.where(above > 0, table * torch.exp2(above.clamp(0, 128).double()), table)
        self.most = 2 * tolerance * table
        self.least = float(self.most[self.most > 0].min()) if bool((self.most > 0).any()) else 0.0

    def suspects(self, got: torch.Tensor, framework: torch.Tensor) -> torch.Tensor:
        """The positions of elements of one piece, flat, at which the two differ by more."""
        if self.most is None:
            return (~dtypes.same(got, framework)).flatten().nonzero().flatten()
        if torch.equal(got, framework):
            return torch.empty(0, dtype=torch.long)
        one, other = (dtypes.parts(t).flatten() for t in (got, framework))
        one, other = (t.float() if t.dtype != torch.float64 else t for t in (one, other))
        # Most differ by less than the smallest elements may.
        apart = (~((one - other).abs() <= self.least)).nonzero().flatten()
        one, other = one[apart], other[apart]
        size = torch.frexp(other).exponent.long().clamp(-255, 255) + 256
        near = (one - other).abs() <= self.most[size]
        same = (one == other) | (torch.isnan(one) & torch.isnan(other))
        return apart[~(near | same)]


def suspect_parts(
    decided: Sequence[Part],
    got: Sequence[torch.Tensor],
    frame: Sequence[torch.Tensor],
    how: Separation,
    tolerance: float,
) -> torch.Tensor:
    """Parts in which an answer differs from the framework's by more than both may be wrong, in no order."""
    found: set[int] = set()
    for output, (one, other, dim) in enumerate(zip(got, frame, how.outputs, strict=True)):
        screen = Screen(decided, output, tolerance)
        # One piece is some of the first dimension, whatever the operator is cut along.
        rows = one.shape[0] if one.dim() else 1
        step = max(1, PIECE // max(1, one.numel() // max(1, rows)))
        for low in range(0, rows, step):
            a, b = (t[low : low + step] if t.dim() else t for t in (one, other))
            flat = screen.suspects(a, b)
            if flat.numel():
                per = dtypes.parts(a).numel() // max(1, a.numel())
                # torch's own `unravel_index` imports its compiler.
                index = np.unravel_index((flat[: 1 << 16] // per).cpu().numpy(), a.shape)[dim]
                found |= set(np.unique(index + (low if dim == 0 else 0)).tolist())
            if len(found) > MOST_SUSPECTS:
                break
    return torch.tensor(_secret.sample(sorted(found), len(found)), dtype=torch.long)


def compared(part: Part, got: Sequence[torch.Tensor], how: Separation, tolerance: float) -> list[Comparison]:
    """The answers in some parts against what they must be, their places counted in the whole."""
    found = []
    for output, (one, expected) in enumerate(zip(how.of_outputs(got, part.parts), part.expected, strict=True)):
        result = compare(one, expected, output, tolerance)
        if result.worst is not None:
            at, dim = list(result.worst.index), how.outputs[output]
            whole = list(at)
            whole[dim] = int(part.parts[at[dim]])
            detail = result.detail.replace(f" at {at}", f" at {whole}")
            result = replace(result, worst=replace(result.worst, index=tuple(whole)), detail=detail)
        found.append(result)
    return found


def merged(found: Sequence[list[Comparison]]) -> list[Comparison]:
    """One comparison for each output: that of the worst part, with the elements of all of them."""
    result = []
    for column in zip(*found, strict=True):
        worst = max(column, key=lambda c: (c.wrong > 0, c.error / c.bound if c.bound else c.error))
        wrong, total = sum(c.wrong for c in column), sum(c.total for c in column)
        result.append(replace(worst, wrong=wrong, total=total, relative=max(c.relative for c in column)))
    return result


class Portions(NamedTuple):
    """How many of ``number`` parts float64 decides: ``first`` ones, at most ``at_once`` later, ``most`` in all."""

    number: int
    first: int
    at_once: int
    most: int


def parts_within(seconds: float, how_many: Portions, decide: Callable[[torch.Tensor], Part]) -> list[Part]:
    """Secret parts that float64 decides, more at a time while it is quick, until the seconds are spent."""
    found: list[Part] = []
    left, size, started = set(range(how_many.number)), how_many.first, time.monotonic()
    while left and how_many.number - len(left) + size <= max(how_many.first, how_many.most):
        before = time.monotonic()
        parts = torch.tensor(sorted(_secret.sample(sorted(left), min(size, len(left)))))
        found.append(decide(parts))
        left -= set(parts.tolist())
        took = time.monotonic() - before
        if time.monotonic() - started + 2 * took > seconds:
            break
        size = min(how_many.at_once, 2 * size if took < seconds / 8 else size, max(1, len(left)))
    return found
