"""From windows to a ratio with its interval.

What else goes on in a machine only ever adds to a window's time. So a process is as quick as its quickest windows are:
its figure is their lower tenth. And two processes of the same code differ by what no repetition within them shows:
where their memory lies, which pages and cores they were given. So each side is several processes. How far the figures
of one side lie apart says how far processes of one code do; the interval of the ratio of the means of both sides is
Student's at 99 % from that, pooled over all sides. (They are a handful: resampling them would give an interval that is
too narrow.)

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
_T99 = (63.657, 9.925, 5.841, 4.604, 4.032, 3.707, 3.499, 3.355, 3.250, 3.169, 3.106, 3.055, 3.012, 2.977, 2.947)
"""Student's t for 99 % in the middle, from one degree of freedom on."""


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
    reach = _t99(freedom) * math.sqrt(between * (1 / len(ours) + 1 / len(theirs)))
    middle = centre(theirs) / centre(ours)
    return Ratio(middle, middle * math.exp(-reach), middle * math.exp(reach))


def _t99(freedom: int) -> float:
    if freedom <= len(_T99):
        return _T99[freedom - 1]
    # The first terms of the expansion about the normal quantile, exact to three digits from here on.
    z = 2.5758
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
