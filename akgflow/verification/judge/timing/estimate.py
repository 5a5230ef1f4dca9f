"""From windows to a ratio with its interval.

What else goes on in a machine only ever adds to a window's time. So a process is as quick as its quickest windows are:
its figure is their lower tenth. And two processes of the same code differ by what no repetition within them shows:
where their memory lies, which pages and cores they were given. So each side is several processes. How far the figures
of one side lie apart says how far processes of one code do; the interval of the ratio of the means of both sides is
Student's from that, pooled over all sides. (They are a handful: resampling them would give an interval that is
too narrow.)

On a machine whose cores run at half their speed for seconds on end, as those of a rented one do, the quickest windows
of one process fall into a good spell and those of another do not. But windows of one visit follow each other at once,
and share the spell. So there is a second figure for each process of ours: the median, over its visits, of how much
longer theirs took in the same visit; its interval is Student's again, from how far the processes lie apart. What is
reported is the one of the two that is known more closely. Each is at 99.5 %, so that the choice leaves 99 %.

A kernel is called *faster* or *slower* when that whole interval lies beyond 1 % from 1, else *same*: a difference
within 1 % is none that anybody would choose a kernel by.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import NamedTuple

MARGIN = 0.01
"""Ratios this close to 1 are called *same*."""
_T995 = (127.321, 14.089, 7.453, 5.598, 4.773, 4.317, 4.029, 3.833, 3.690, 3.581, 3.497, 3.428, 3.372, 3.326, 3.286)
"""Student's t for 99.5 % in the middle, from one degree of freedom on; beyond the last it is a little less."""


class Ratio(NamedTuple):
    """Seconds of theirs over ours, and the 99 % interval; infinitely wide where nothing can be told."""

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

    def times(self, factor: float) -> Ratio:
        """The same, with theirs multiplied by ``factor``."""
        return Ratio(*(part * factor for part in self))


def low(values: Sequence[float]) -> float:
    """The lower tenth of some seconds; the least, where there are few."""
    return sorted(values)[len(values) // 10]


def centre(figures: Sequence[float]) -> float:
    """The geometric mean of a side's processes."""
    return math.exp(statistics.fmean(map(math.log, figures)))


def ratio(ours: Sequence[float], theirs: Sequence[float], others: Iterable[Sequence[float]] = ()) -> Ratio:
    """How much longer theirs take than ours, from the seconds of each process of the two sides.

    ``others`` are further sides, whose processes tell as well how far processes differ.
    """
    if any(one <= 0 for one in (*ours, *theirs)):
        return Ratio(1.0, 0.0, math.inf)
    sides = [[math.log(one) for one in side] for side in (ours, theirs, *others) if min(side) > 0]
    freedom = sum(len(side) - 1 for side in sides)
    if freedom < 1:
        return Ratio(1.0, 0.0, math.inf)
    between = sum((len(side) - 1) * statistics.variance(side) for side in sides if len(side) > 1) / freedom
    reach = _t995(freedom) * math.sqrt(between * (1 / len(ours) + 1 / len(theirs)))
    middle = centre(theirs) / centre(ours)
    return Ratio(middle, middle * math.exp(-reach), middle * math.exp(reach))


def paired(visits: Iterable[Sequence[tuple[float, float]]]) -> Ratio:
    """The same from visits: for each process of ours, seconds of ours and of theirs in each of its visits."""
    sides = [list(side) for side in visits]
    if len(sides) < 2 or any(not side or any(one <= 0 for pair in side for one in pair) for side in sides):
        return Ratio(1.0, 0.0, math.inf)
    logs = [statistics.median(math.log(theirs / ours) for ours, theirs in side) for side in sides]
    reach = _t995(len(logs) - 1) * statistics.stdev(logs) / math.sqrt(len(logs))
    middle = math.exp(statistics.fmean(logs))
    return Ratio(middle, middle * math.exp(-reach), middle * math.exp(reach))


def _t995(freedom: int) -> float:
    return _T995[min(freedom, len(_T995)) - 1]
