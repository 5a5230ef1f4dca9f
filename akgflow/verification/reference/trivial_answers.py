"""What a task's verdicts cannot vouch for, known before any candidate is tried.

Trivial answers: a task that one of them would pass proves nothing about a kernel. Loose bounds: where sound kernels are
far apart, one that is wrong by less is not told from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch

from akgflow.verdict import LOOSE_BOUND
from akgflow.verification.reference.tolerance import Expected, fits
from akgflow.verification.shared import dtypes
from akgflow.verification.shared.gradients import OF_GRADIENTS
from akgflow.verification.shared.memory import tensors

SAMPLE = 1 << 16
"""Elements that a trivial answer is first tried on; nearly all of them fail there."""

LOOSE = 100.0
"""A bound of more than so many times the framework's error is worth a warning."""


class Asked(Protocol):
    """A set of inputs and what each output must be."""

    @property
    def distribution(self) -> str: ...
    @property
    def inputs(self) -> Any: ...
    @property
    def named(self) -> Sequence[tuple[str, Expected]]: ...


def trivial_answers(draws: Sequence[Asked]) -> tuple[str, ...]:
    """One sentence for each output that a trivial answer would give rightly on every draw."""
    found = []
    for output, (name, expected) in enumerate(draws[0].named):
        if not expected.framework.numel() or name.startswith(OF_GRADIENTS):
            # That of a sum is the upstream gradient itself.
            continue
        alive = _passing(draws, 0, output)
        for place in range(1, len(draws)):
            alive &= _passing(draws, place, output) if alive else set()
        if alive:
            answers = " or ".join(sorted(alive))
            found.append(f"weak task: {answers} would pass as {name} on every set of inputs drawn")
    return tuple(found)


def _passing(draws: Sequence[Asked], place: int, output: int) -> set[str]:
    expected = draws[place].named[output][1]
    return {name for name, answer in _answers(draws, place, output) if _would_pass(answer, expected)}


def _answers(draws: Sequence[Asked], place: int, output: int) -> Iterator[tuple[str, torch.Tensor]]:
    """Answers that need no work, in the output's shape and dtype."""
    _, expected = draws[place].named[output]
    like = expected.framework
    yield "zeros", dtypes.filled(like, 0.0)
    yield "ones", dtypes.filled(like, 1.0)
    if like.is_floating_point() and like.numel() > 3:
        yield "a constant", dtypes.filled(like, float(expected.oracle.mean()))
    for i, one in enumerate(tensors(draws[place].inputs)):
        if one.shape == like.shape and one.dtype == like.dtype:
            yield f"input {i} as it is", one
            if one.is_floating_point() and one.dim() and one.dtype != dtypes.FLOAT4:
                mean = one.float().mean(-1, keepdim=True).expand(like.shape)
                yield f"the mean of input {i}", dtypes.stored(mean, like)
    other = draws[place - 1].named[output][1].framework
    if len(draws) > 1 and other.shape == like.shape:
        yield "the answer to other inputs", other


def _would_pass(answer: torch.Tensor, expected: Expected) -> bool:
    """Whether it would, decided on a sample where that suffices."""
    count = answer.numel()
    if count > 2 * SAMPLE and expected.bound is not None and dtypes.parts(answer) is answer:
        step = count // SAMPLE
        near, exact, bound = (t.reshape(-1)[::step] for t in (answer.double(), expected.oracle, expected.bound))
        if bool(((near - exact).abs() > bound).any()):
            return False
    return answer.shape == expected.framework.shape and fits(answer, expected, 1.0)


def loose_bounds(draws: Sequence[Asked]) -> tuple[str, ...]:
    """One sentence for each result that may be much more wrong than the framework's own kernel makes it."""
    found = []
    for results in zip(*(draw.named for draw in draws), strict=True):
        ratios = sorted((one.over_error, draw.distribution) for (_, one), draw in zip(results, draws, strict=True))
        (least, tight), (most, loose) = ratios[0], ratios[-1]
        name, _ = results[0]
        # Where forward saturates, gradients vanish: that is so on some inputs of many an operator.
        if (least if name.startswith(OF_GRADIENTS) else most) > LOOSE:
            text = f"{name}: on {loose} inputs errors up to {most:.3g} {LOOSE_BOUND} may come from rounding"
            found.append(f"{text}, and were let pass ({least:.3g} times on {tight} inputs)")
    return tuple(found)


def undecided(draws: Sequence[Asked]) -> tuple[str, ...]:
    """One sentence for each result some of whose elements roundoff decides."""
    return tuple(
        f"{int((one.slack > 0).sum())} of {one.framework.numel()} elements of {name} depend on roundoff, and were "
        "compared within its effect"
        for draw in draws
        for name, one in draw.named
        if one.slack is not None and bool(one.slack.any())
    )
