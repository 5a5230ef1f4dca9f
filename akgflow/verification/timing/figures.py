"""From what was measured to what is said: one timing for each baseline."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from akgflow.config.types import Scalar
from akgflow.verdict import Timing
from akgflow.verification.timing import estimate
from akgflow.verification.timing.estimate import Figure
from akgflow.verification.timing.party import Kept, Party
from akgflow.verification.timing.processes import CANDIDATE
from akgflow.verification.timing.questions import NotTimed

PRECISE = 0.012
"""Enough is known when the interval reaches no further than this to either side."""
DECIDED = 0.04
"""Or no further than this, and all of it is far from 1."""
BATCHED = {"cpu": 1.3, "cuda": 2.0}
"""One at a time, a call may take so many times what it takes in a row: on a GPU launching and running overlap in a row
and cannot do so alone. Beyond it come a baseline's own loss by a quarter more, and `ALONE_NOISE`."""
ALONE_NOISE = 2e-5
BESIDE = 1.03
"""A baseline that took more than so many times as long beside the candidate as without it was slowed by it."""


@dataclass
class Timed:
    """What came of it: one timing for each baseline, and what a reader must know besides."""

    timings: list[Timing] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class Figures:
    """``null`` is what windows of ``n`` calls and single questions cost when nothing is computed.

    ``after`` holds, by baseline, what was measured without the candidate.
    """

    def __init__(self, parties: Mapping[str, Party], n: int, kind: str) -> None:
        self.parties, self.n, self.kind = parties, n, kind
        self.null = Kept()
        self.after: dict[str, list[Kept]] = {}

    @property
    def enough(self) -> bool:
        """True when every process has a figure."""
        return all(one.enough for one in self._all())

    @property
    def precise(self) -> bool:
        """True when more windows would say nothing that matters."""
        figures = self._in_a_row()
        ours = figures.pop(CANDIDATE)
        for theirs in figures.values():
            low, high = estimate.interval(ours, theirs, tuple(figures.values()))
            reach = DECIDED if low > 1 + DECIDED or high < 1 - DECIDED else PRECISE
            if low <= 0 or high / low > (1 + reach) ** 2:
                return False
        return True

    def timed(self, case: Mapping[str, Scalar], device: str, warnings: Sequence[str]) -> Timed:
        """All timings; raises `NotTimed`."""
        found = Timed(warnings=list(warnings))
        if not self.enough:
            raise NotTimed(_busy(self._all()))
        figures = self._in_a_row()
        if min(one.seconds for side in figures.values() for one in side) <= 0.1 * self._handing_over:
            raise NotTimed("a call is too short to be told from handing its answer over")
        row = {name: estimate.centre(side) for name, side in figures.items()}
        alone = self._alone()
        if self._batched(row, alone):
            found.warnings.append(self._batched_words(row, alone))
            figures = self._one_at_a_time()
        else:
            for name in self.after:
                figures[name] = self._not_slowed(name, figures[name], found.warnings)
        ours = figures.pop(CANDIDATE)
        for name, theirs in figures.items():
            others = [side for other, side in figures.items() if other != name]
            figure = partial(self._timing, row[CANDIDATE], case=case, device=device)
            found.timings.append(figure(name, ours, theirs, others))
        return found

    def _all(self) -> list[Kept]:
        return [self.null, *(one for party in self.parties.values() for one in party.kept)]

    @property
    def _handing_over(self) -> float:
        """Seconds that handing over costs for each call of a window."""
        return statistics.median(self.null.seconds) / self.n

    def _in_a_row(self) -> dict[str, list[Figure]]:
        """A figure for each process, of questions asked together."""
        return {name: [self._row(one) for one in party.kept] for name, party in self.parties.items()}

    def _row(self, kept: Kept) -> Figure:
        return estimate.figure([seconds / self.n for seconds in kept.seconds], self._handing_over)

    def _one_at_a_time(self) -> dict[str, list[Figure]]:
        """A figure for each process, of questions asked one at a time."""
        null = statistics.median(self.null.alone)
        return {
            name: [estimate.figure(one.alone, null) for one in party.kept if one.alone]
            for name, party in self.parties.items()
        }

    def _alone(self) -> dict[str, float]:
        """Median seconds of questions asked one at a time."""
        null = statistics.median(self.null.alone)
        return {
            name: statistics.median(seconds for one in party.kept for seconds in one.alone) - null
            for name, party in self.parties.items()
        }

    def _batched(self, row: Mapping[str, float], alone: Mapping[str, float]) -> bool:
        """True when the candidate gains by questions asked together what no sound kernel does."""
        loss = max(0.0, *(1.25 * (alone[name] - row[name]) for name in row if name != CANDIDATE))
        return alone[CANDIDATE] > BATCHED[self.kind] * row[CANDIDATE] + loss + ALONE_NOISE

    def _batched_words(self, row: Mapping[str, float], alone: Mapping[str, float]) -> str:
        base = next(name for name in row if name != CANDIDATE)
        return (
            f"asked in a row, a question takes the candidate {row[CANDIDATE] * 1e6:.3g} µs, and asked alone "
            f"{alone[CANDIDATE] * 1e6:.3g} µs ({base}: {row[base] * 1e6:.3g} and {alone[base] * 1e6:.3g}): "
            "the times are those of questions asked alone"
        )

    def _not_slowed(self, name: str, beside: list[Figure], warnings: list[str]) -> list[Figure]:
        """The figures of a baseline, or those without the candidate where they are better."""
        if not all(one.enough for one in self.after[name]):
            return beside
        without = [self._row(one) for one in self.after[name]]
        if min(one.seconds for one in without) <= 0:
            return beside
        slowed = estimate.centre(beside) / estimate.centre(without)
        if slowed <= BESIDE:
            return beside
        warnings.append(
            f"{name} took {slowed:.3g} times as long while the candidate's processes existed as without them: "
            "its time without them counts"
        )
        return [Figure(one.seconds / slowed, one.variance) for one in beside]

    def _timing(
        self,
        warm: float,
        name: str,
        ours: list[Figure],
        theirs: list[Figure],
        others: list[list[Figure]],
        *,
        case: Mapping[str, Scalar],
        device: str,
    ) -> Timing:
        low, high = estimate.interval(ours, theirs, others)
        if low <= 0 or not math.isfinite(high):
            raise NotTimed("windows differ among themselves by more than a call takes")
        windows = [seconds for one in self.parties[CANDIDATE].kept for seconds in one.seconds]
        quartiles = statistics.quantiles(windows, n=4)
        seconds, base = estimate.centre(ours), estimate.centre(theirs)
        return Timing(
            case=case,
            baseline=name,
            seconds=seconds,
            baseline_seconds=base,
            speedup=base / seconds,
            interval=(low, high),
            call=estimate.call(low, high),
            windows=len(windows),
            spread=(quartiles[2] - quartiles[0]) / statistics.median(windows),
            device=device,
            cold_seconds=self._cold(warm),
        )

    def _cold(self, warm: float) -> float | None:
        """Seconds with the caches emptied: the warm ones and what emptying adds to a question asked alone."""
        kept, null = self.parties[CANDIDATE].kept, self.null
        cold, alone = [s for one in kept for s in one.cold], [s for one in kept for s in one.alone]
        if len(cold) < 3 or len(null.cold) < 3:
            return None
        adds = (statistics.median(cold) - statistics.median(null.cold)) - (
            statistics.median(alone) - statistics.median(null.alone)
        )
        noise = max(statistics.pstdev(null.cold), statistics.pstdev(null.alone)) / math.sqrt(len(null.cold))
        return warm + adds if adds > 2 * noise else None


def _busy(kept: Sequence[Kept]) -> str:
    windows = [window for one in kept for window in one.windows]
    share = sum(window.disturbed for window in windows) / len(windows)
    return f"the machine was too busy: in {share:.0%} of the windows others held a core that the kernel needed"
