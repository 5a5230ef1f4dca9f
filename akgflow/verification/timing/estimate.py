"""From windows to a ratio with its interval.

Two processes of the same code differ by what no repetition within them shows: where their memory lies, which pages and
cores they were given. So each side is several processes. A process gives one figure, the median of its windows without
what handing over costs; a side gives the mean of its processes' logarithms. The interval of the ratio is
Student's at 99 %, from how far processes of one side lie apart, pooled over all sides (they are a handful: resampling
five figures would give an interval that is too narrow), and never less than what a bootstrap of each process's own
windows says about its median.

A kernel is called *faster* or *slower* when that whole interval lies beyond 1 % from 1, else *same*: a difference
within 1 % is none that anybody would choose a kernel by.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence
from typing import NamedTuple

MARGIN = 0.01
"""Ratios this close to 1 are called *same*."""
RESAMPLES = 60
_T99 = (63.657, 9.925, 5.841, 4.604, 4.032, 3.707, 3.499, 3.355, 3.250, 3.169, 3.106, 3.055, 3.012, 2.977, 2.947)
"""Student's t for 99 % in the middle, from one degree of freedom on."""

_resampling = random.Random(0)
"""Resampling needs no secrecy, and the same measurements should give the same interval."""


class Figure(NamedTuple):
    """Seconds a call in one process, and the variance of its logarithm that its own windows show."""

    seconds: float
    variance: float


def figure(values: Sequence[float], handing_over: float) -> Figure:
    """A process's seconds a call from ``values`` that hold ``handing_over`` each: their median.

    The variance is infinite where they do not tell.
    """
    seconds = statistics.median(values) - handing_over
    again = [statistics.median(_again(values)) - handing_over for _ in range(RESAMPLES)]
    if min(seconds, *again) <= 0:
        return Figure(seconds, math.inf)
    return Figure(seconds, statistics.variance(math.log(one) for one in again))


def _again(values: Sequence[float]) -> list[float]:
    return _resampling.choices(values, k=len(values))


def centre(figures: Sequence[Figure]) -> float:
    """Seconds a call of a side: the geometric mean over its processes."""
    return math.exp(statistics.fmean(math.log(one.seconds) for one in figures))


def interval(
    ours: Sequence[Figure], theirs: Sequence[Figure], others: Sequence[Sequence[Figure]] = ()
) -> tuple[float, float]:
    """99 % interval of theirs over ours; ``others`` are further sides whose processes tell how far processes differ.

    Infinite where the figures do not tell.
    """
    sides = [side for side in (ours, theirs, *others) if all(math.isfinite(one.variance) for one in side)]
    freedom = sum(len(side) - 1 for side in sides)
    if any(not math.isfinite(one.variance) for one in (*ours, *theirs)) or freedom < 1:
        return 0.0, math.inf
    between = sum((len(side) - 1) * statistics.variance(_logs(side)) for side in sides if len(side) > 1) / freedom
    within = statistics.fmean(one.variance for side in (ours, theirs) for one in side)
    error = math.sqrt(max(between, within) * (1 / len(ours) + 1 / len(theirs)))
    ratio = statistics.fmean(_logs(theirs)) - statistics.fmean(_logs(ours))
    reach = _t99(freedom) * error
    return math.exp(ratio - reach), math.exp(ratio + reach)


def _logs(side: Sequence[Figure]) -> list[float]:
    return [math.log(one.seconds) for one in side]


def _t99(freedom: int) -> float:
    if freedom <= len(_T99):
        return _T99[freedom - 1]
    # The first terms of the expansion about the normal quantile, exact to three digits from here on.
    z = 2.5758
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def call(low: float, high: float) -> str:
    """``faster``, ``same`` or ``slower``."""
    return "faster" if low > 1 + MARGIN else "slower" if high < 1 / (1 + MARGIN) else "same"
