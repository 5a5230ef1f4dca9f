"""What a GPU's clocks did while it timed, and which windows can be believed. Pure: readings in, a decision out."""

from __future__ import annotations

import functools
import operator
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

# ``nvmlClocksThrottleReasons`` (newer headers: ``nvmlClocksEventReasons``) of nvml.h.
IDLE, POWER_CAP = 0x1, 0x4
REASONS = {
    IDLE: "idle",
    0x2: "application clocks",
    POWER_CAP: "power limit",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "thermal limit of the driver",
    0x40: "thermal limit of the hardware",
    0x80: "power brake",
    0x100: "display clock",
}
SLOWED = 0x8 | 0x20 | 0x40 | 0x80
"""Reasons that come and go by themselves: what is timed meanwhile is another device's time."""
STEADY = 0.03
"""At the power limit clocks follow the load. Where the windows of all arms saw clocks that differ by no more than this
share, they saw the same device."""
FEWEST = 5
"""Pairings of windows that must be left."""
MOST_SHARE = 0.5
"""Of the pairings, so many may be discarded."""


class Reading(NamedTuple):
    """A device at one moment."""

    sm_mhz: int
    memory_mhz: int
    watts: float
    reasons: int
    """Bits of `REASONS`."""


@dataclass(frozen=True)
class Clocks:
    """Over all windows that a timing rests on."""

    sm_mhz: tuple[int, int]
    """The least and the most."""
    memory_mhz: tuple[int, int]
    watts: float
    """The most."""
    reasons: tuple[str, ...] = ()
    """Why the clocks were not higher, in words, whenever the device gave a reason."""
    discarded: int = 0
    """Pairings of windows that were thrown away since the device was slowed."""

    def __str__(self) -> str:
        low, high = self.sm_mhz
        clock = f"{low} MHz" if low == high else f"{low} to {high} MHz"
        why = f", held by {', '.join(self.reasons)}" if self.reasons else ""
        gone = f", {self.discarded} pairings discarded" if self.discarded else ""
        return f"SM clock {clock}, up to {self.watts:.0f} W{why}{gone}"


def slowed(readings: Sequence[Reading]) -> str:
    """Why the windows between these readings cannot be believed; empty where they can."""
    return ", ".join(words_of(_all(readings) & SLOWED))


def summary(kept: Sequence[Reading], discarded: int) -> Clocks:
    """Of the readings around the windows that are used."""
    sm, memory = [one.sm_mhz for one in kept], [one.memory_mhz for one in kept]
    # That a device idles between windows is no news.
    reasons = tuple(words_of(_all(kept) & ~IDLE))
    return Clocks((min(sm), max(sm)), (min(memory), max(memory)), max(one.watts for one in kept), reasons, discarded)


def inconclusive(kept: Sequence[Sequence[Reading]], discarded: int, why: str = "") -> str:
    """Why no figure can be given, from the readings of each pairing that is left; empty where one can."""
    pairings = len(kept)
    if discarded and (pairings < FEWEST or discarded > MOST_SHARE * (discarded + pairings)):
        share = f"{discarded} of {discarded + pairings} pairings of windows"
        return f"inconclusive: the device was slowed ({why}) in {share}"
    capped = [statistics.median(r.sm_mhz for r in one) for one in kept if any(r.reasons & POWER_CAP for r in one)]
    every = [statistics.median(r.sm_mhz for r in one) for one in kept if one]
    if capped and max(every) > (1 + STEADY) * min(every):
        return (
            f"inconclusive: the device was at its power limit, and its SM clock went from {min(every):.0f} to "
            f"{max(every):.0f} MHz between windows"
        )
    return ""


def words_of(bits: int) -> list[str]:
    """The reasons among some bits, in words."""
    return [word for bit, word in REASONS.items() if bits & bit]


def _all(readings: Iterable[Reading]) -> int:
    return functools.reduce(operator.or_, (one.reasons for one in readings), 0)
