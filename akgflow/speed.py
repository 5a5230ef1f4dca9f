"""How fast a kernel is over all cases of a task: one figure, from what was timed at each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from akgflow.verdict import Overall, Timing, Untimed, Verdict


class Speed(NamedTuple):
    """A speedup over a baseline with the interval that the judge gives it."""

    ratio: float
    low: float
    high: float

    @classmethod
    def of(cls, measured: Timing | Overall) -> Speed:
        """What was measured at one case, or over all."""
        return cls(measured.speedup, *measured.interval)

    def exceeds(self, other: Speed) -> bool:
        """Whether it is larger by more than the noise of both: the intervals do not meet."""
        return self.low > other.high

    def __str__(self) -> str:
        return f"{self.ratio:.2f}x [{self.low:.2f}, {self.high:.2f}]"


def overall(timing: Sequence[Timing], untimed: Sequence[Untimed] = ()) -> tuple[Overall, ...]:
    """For each baseline the geometric mean of speedups over the cases, and of their intervals' ends.

    A case without a time counts as the slowest that has one, and as no more than 1.0: nothing is gained by a case at
    which a kernel cannot be timed.
    """
    by_baseline: dict[str, list[Speed]] = {}
    for one in timing:
        by_baseline.setdefault(one.baseline, []).append(Speed.of(one))
    found = []
    for baseline, speeds in by_baseline.items():
        unknown = Speed(*(min(1.0, *column) for column in zip(*speeds, strict=True)))
        columns = zip(*speeds, *(unknown for _ in untimed), strict=True)
        ratio, low, high = (geomean(column) for column in columns)
        found.append(Overall(baseline, ratio, (low, high), len(speeds), len(untimed)))
    return tuple(found)


def speeds_of(verdict: Verdict) -> dict[str, Speed]:
    """The speeds of a verdict by baseline, over its cases."""
    return {one.baseline: Speed.of(one) for one in overall(verdict.timing, verdict.untimed)}


def geomean(values: Sequence[float]) -> float:
    """The geometric mean of positive numbers; zero where one is zero."""
    return math.exp(sum(map(math.log, values)) / len(values)) if min(values) > 0 else 0.0
