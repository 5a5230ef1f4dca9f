"""From windows to a ratio with its interval.

Other activity on a machine only ever adds to a window's time. So the time of a process is the 10th percentile of its
windows. Two processes of the same code differ by what no repetition within them shows: the addresses, pages and cores
that they were given. So each arm has several processes. The interval of the ratio of both arms' geometric means is
Student's t, from the variance between the processes of one arm, pooled over all arms. (There are only a handful of
processes: a bootstrap would give an interval that is too narrow.)

Where cores run at half their speed for seconds on end, as in a virtual machine, the quickest windows of one process
fall into a fast period and those of another do not. But the windows of one pairing follow each other at once, in the
same period. So there is a second estimate for each process of ours: the median, over its pairings, of theirs over
ours; its interval is Student's t again, from the variance between processes. The estimate with the narrower interval
is reported. Each interval is at 99.5 %, so that by Bonferroni's inequality the choice between them is at 99 %.

A kernel is called *faster* or *slower* when the whole interval is more than 1 % away from 1, else *same*: nobody would
choose a kernel for a difference below 1 %.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import NamedTuple

MARGIN = 0.01
"""Ratios this close to 1 are called *same*."""
TELLING, TELLING_A_SIDE = 2.0, 4.0
"""A wider interval says nothing; one that is all on one side of 1 says which of the two is faster, up to the second."""
_T995 = (127.321, 14.089, 7.453, 5.598, 4.773, 4.317, 4.029, 3.833, 3.690, 3.581, 3.497, 3.428, 3.372, 3.326, 3.286)
"""The 0.9975 quantiles of Student's t (two-sided 99.5 %), from one degree of freedom on; after the last it is less."""


class Ratio(NamedTuple):
    """Seconds of theirs over ours, and the interval; infinitely wide where nothing is known."""

    value: float
    low: float
    high: float

    @property
    def call(self) -> str:
        """``faster``, ``same`` or ``slower``."""
        if self.low > 1 + MARGIN:
            return "faster"
        return "slower" if self.high < 1 / (1 + MARGIN) else "same"

    @property
    def width(self) -> float:
        """Its upper end over its lower one."""
        return self.high / self.low if self.low > 0 else math.inf

    @property
    def tells(self) -> bool:
        """Whether it is worth reporting."""
        return self.width <= (TELLING if self.call == "same" else TELLING_A_SIDE)

    def over(self, other: Ratio) -> Ratio:
        """The same, with theirs divided by another ratio; its interval makes this one's wider."""
        high = self.high / other.low if other.low > 0 else math.inf
        return Ratio(self.value / other.value, self.low / other.high, high)


def low(values: Sequence[float]) -> float:
    """The 10th percentile of some seconds; the least, where there are fewer than ten."""
    return sorted(values)[len(values) // 10]


def centre(seconds: Sequence[float]) -> float:
    """The geometric mean of an arm's processes."""
    return math.exp(statistics.fmean(map(math.log, seconds)))


def ratio(ours: Sequence[float], theirs: Sequence[float], others: Iterable[Sequence[float]] = ()) -> Ratio:
    """How much longer theirs take than ours, from the seconds of each process of the two arms.

    ``others`` are further arms, which add to what is known of the variance between processes.
    """
    if any(one <= 0 for one in (*ours, *theirs)):
        return Ratio(1.0, 0.0, math.inf)
    arms = [[math.log(one) for one in arm] for arm in (ours, theirs, *others) if min(arm) > 0]
    freedom = sum(len(arm) - 1 for arm in arms)
    if freedom < 1:
        return Ratio(1.0, 0.0, math.inf)
    between = sum((len(arm) - 1) * statistics.variance(arm) for arm in arms if len(arm) > 1) / freedom
    half = _t995(freedom) * math.sqrt(between * (1 / len(ours) + 1 / len(theirs)))
    middle = centre(theirs) / centre(ours)
    return Ratio(middle, middle * math.exp(-half), middle * math.exp(half))


def slowed(without: Sequence[float], beside: Sequence[float], most: float) -> Ratio:
    """How many times as long a baseline took beside the candidate as without it; 1 up to ``most``.

    Both were measured one after the other, and a machine may be slower for a while by itself. So where it is not
    certain that it was more than ``most``, it may be anything from 1 on: that makes an interval wider and leaves its
    value.
    """
    found = ratio(without, beside)
    if min(without) <= 0 or found.value <= most:
        return Ratio(1.0, 1.0, 1.0)
    return found if found.low > most else Ratio(1.0, 1.0, found.high)


def paired(pairings: Iterable[Sequence[tuple[float, float]]]) -> Ratio:
    """The same from pairings: for each process of ours, seconds of ours and of theirs in each of its pairings."""
    rows = [list(row) for row in pairings]
    if len(rows) < 2 or any(not row or any(one <= 0 for pair in row for one in pair) for row in rows):
        return Ratio(1.0, 0.0, math.inf)
    logs = [statistics.median(math.log(theirs / ours) for ours, theirs in row) for row in rows]
    half = _t995(len(logs) - 1) * statistics.stdev(logs) / math.sqrt(len(logs))
    middle = math.exp(statistics.fmean(logs))
    return Ratio(middle, middle * math.exp(-half), middle * math.exp(half))


def _t995(freedom: int) -> float:
    return _T995[min(freedom, len(_T995)) - 1]
