"""Compares verdicts: by correctness, then by measured speed, as far as the noise allows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from akgflow.speed import Speed, speeds_of
from akgflow.terms import Evidence, Status, strength
from akgflow.verdict import Timing, Verdict

# Nearer to correct is larger.
_WORTH = {
    Status.NOT_RUN: 0,
    Status.INVALID: 1,
    Status.REFUSED: 1,
    Status.FALLBACK: 1,
    Status.COMPILE_ERROR: 2,
    Status.OUT_OF_MEMORY: 3,
    Status.TIMEOUT: 3,
    Status.RUNTIME_ERROR: 3,
    Status.INCORRECT_SHAPE: 4,
    Status.INCORRECT_DTYPE: 4,
    Status.INCORRECT_NUMERICAL: 5,
    Status.PASSED: 6,
}


def timings_of(verdict: Verdict) -> tuple[Timing, ...]:
    """The timings of all cases against the first baseline; none for a candidate that did not pass."""
    first = verdict.timing[0].baseline if verdict.passed and verdict.timing else None
    return tuple(one for one in verdict.timing if one.baseline == first)


def speed_of(verdict: Verdict) -> Speed | None:
    """The speed over the first baseline of a candidate that passed, for all cases; None where nothing was measured."""
    return next(iter(speeds_of(verdict).values()), None) if verdict.passed else None


def timeable(verdict: Verdict) -> bool:
    """Whether candidates were executed for this verdict: other evidence says nothing about speed."""
    return Evidence.EXECUTED in verdict.evidence


class Worth(NamedTuple):
    """Order among the candidates of one job by their point estimates: how right, on what evidence, then how fast."""

    right: int
    evidence: tuple[int, ...]
    near: float
    """The share of the sets of inputs, of those that were tried, for which a wrong candidate was right."""
    speed: float


def worth(verdict: Verdict) -> Worth:
    """The order of a verdict among others."""
    speed = speed_of(verdict)
    return Worth(_WORTH[verdict.status], strength(verdict.evidence), _near(verdict), speed.ratio if speed else 0.0)


def _near(verdict: Verdict) -> float:
    tried = verdict.correctness.cases if verdict.correctness and not verdict.passed else ()
    return sum(one.status is Status.PASSED for one in tried) / len(tried) if tried else 0.0


def ranks(verdicts: Sequence[Verdict]) -> list[int]:
    """The rank of each verdict from 0, the best; verdicts within the noise share a rank, and no rank is skipped.

    A speed shares the rank of the fastest before it whose interval overlaps its own.
    """
    order = sorted(range(len(verdicts)), key=lambda i: worth(verdicts[i]), reverse=True)
    found = dict.fromkeys(order[:1], 0)
    leader = order[0] if order else 0
    for before, here in pairwise(order):
        apart = gained(verdicts[here], verdicts[leader])
        found[here] = found[before] + apart
        leader = here if apart else leader
    return [found[i] for i in range(len(verdicts))]


def gained(before: Verdict | None, after: Verdict | None) -> bool:
    """True where ``after`` is better than ``before`` by more than the noise of both measurements."""
    if before is None or after is None:
        return after is not None
    old, new = worth(before), worth(after)
    if old[:2] != new[:2]:
        return new[:2] > old[:2]
    slow, fast = speed_of(before), speed_of(after)
    if slow is None or fast is None:
        return fast is not None
    return fast.exceeds(slow)
