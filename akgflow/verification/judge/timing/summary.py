"""From samples to what is reported: one timing for each baseline."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from akgflow.config.types import Scalar
from akgflow.verdict import PartTiming, Timing
from akgflow.verification.judge.timing import estimate
from akgflow.verification.judge.timing.arms import Arm, Samples
from akgflow.verification.judge.timing.estimate import Ratio
from akgflow.verification.judge.timing.processes import CANDIDATE
from akgflow.verification.judge.timing.windows.questions import NotTimed
from akgflow.verification.judge.timing.windows.window import State

PRECISE = 0.012
"""Enough is known when the interval reaches no further than this in either direction."""
DECIDED = 0.04
"""Or no further than this, and all of it is far from 1."""
BATCHED = {"cpu": 1.3, "cuda": 2.0}
"""One at a time, a call may take so many times what it takes in a row: on a GPU launching and running overlap in a row
and cannot do so alone. Beyond it come a baseline's own loss by a quarter more, and `ALONE_NOISE`."""
ALONE_NOISE = 2e-5
BESIDE = {"cpu": 1.05, "cuda": 1.6}
"""A baseline that took more than so many times as long beside the candidate as without it was slowed by it. On a GPU
other processes cost time merely by having a context there, the candidate's as much as the baseline's."""


@dataclass
class Timed:
    """The result of a timing: one `Timing` for each baseline, and warnings.

    ``calls`` is the number of questions that were asked together in the windows that the times come from; ``seconds``
    are what all windows took.
    """

    calls: int
    timings: list[Timing] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Pairing(NamedTuple):
    """The windows of one process of each arm that followed each other at once.

    ``place`` numbers the candidate's process; ``seconds`` are by arm; ``overhead`` are those of the overhead window.
    """

    place: int
    seconds: Mapping[str, float]
    overhead: float


class Summary:
    """What is concluded from all samples of a timing.

    ``overhead`` is what windows of ``n`` calls and single questions cost when nothing is computed; ``after`` holds, by
    baseline, the samples without the candidate.
    """

    def __init__(self, arms: Mapping[str, Arm], n: int, kind: str) -> None:
        self.arms, self.n, self.kind = arms, n, kind
        self.overhead = Samples()
        self.pairings: list[Pairing] = []
        self.after: dict[str, list[Samples]] = {}

    @property
    def precise(self) -> bool:
        """True when more windows would change no conclusion."""
        for ratio in self._closest(self._rows()).values():
            far = ratio.low > 1 + DECIDED or ratio.high < 1 - DECIDED
            if ratio.low <= 0 or ratio.width > (1 + (DECIDED if far else PRECISE)) ** 2:
                return False
        return True

    @property
    def tells(self) -> bool:
        """True when every ratio is worth reporting."""
        return all(ratio.tells for ratio in self._closest(self._rows()).values())

    def timed(self, case: Mapping[str, Scalar], device: str, warnings: Sequence[str]) -> Timed:
        """All timings; raises `NotTimed`."""
        found = Timed(self.n, warnings=list(warnings))
        rows, alone = self._rows(), self._alone()
        if min(one for row in rows.values() for one in row) <= 0.1 * self._handing_over:
            raise NotTimed("a call is too short to be told from handing its answer over")
        warm, ratios = estimate.centre(rows[CANDIDATE]), self._closest(rows)
        if self._batched(rows, alone):
            found.warnings.append(self._batched_words(rows, alone))
            found.calls, rows, ratios = 1, alone, self._ratios(alone)
        else:
            ratios = {name: ratio.over(self._slowed(name, found.warnings)) for name, ratio in ratios.items()}
        seconds = estimate.centre(rows[CANDIDATE])
        for name, ratio in ratios.items():
            found.timings.append(self._timing(name, seconds, ratio, case, device, self._cold(warm)))
        return found

    @property
    def _baselines(self) -> list[str]:
        return [name for name in self.arms if name != CANDIDATE]

    @property
    def _handing_over(self) -> float:
        """Seconds that handing over costs for each call of a window."""
        return estimate.low(self.overhead.seconds) / self.n

    def _rows(self) -> dict[str, list[float]]:
        """Seconds a call of each process, of questions asked together."""
        return {name: [self._row(one) for one in arm.samples] for name, arm in self.arms.items()}

    def _row(self, samples: Samples) -> float:
        return estimate.low(samples.seconds) / self.n - self._handing_over

    def _alone(self) -> dict[str, list[float]]:
        """Seconds of each process, of questions asked one at a time."""
        overhead = estimate.low(self.overhead.singly[State.RUNNING])
        return {
            name: [estimate.low(one.singly[State.RUNNING]) - overhead for one in arm.samples]
            for name, arm in self.arms.items()
        }

    def _ratios(self, figures: Mapping[str, list[float]]) -> dict[str, Ratio]:
        """The ratio of each baseline's seconds to the candidate's."""
        return {
            name: estimate.ratio(
                figures[CANDIDATE], figures[name], [figures[other] for other in self._baselines if other != name]
            )
            for name in self._baselines
        }

    def _closest(self, rows: Mapping[str, list[float]]) -> dict[str, Ratio]:
        """For each baseline the ratio with the narrower interval: that of the quickest windows, or that of pairings."""
        return {
            name: min(ratio, self._paired(name), key=lambda one: one.width)
            for name, ratio in self._ratios(rows).items()
        }

    def _paired(self, name: str) -> Ratio:
        places: dict[int, list[tuple[float, float]]] = defaultdict(list)
        for pairing in self.pairings:
            ours, theirs = (pairing.seconds[who] - pairing.overhead for who in (CANDIDATE, name))
            places[pairing.place].append((ours, theirs))
        return estimate.paired(places.values())

    def _batched(self, rows: Mapping[str, list[float]], alone: Mapping[str, list[float]]) -> bool:
        """True when the candidate gains more by questions asked together than a sound kernel can."""
        loss = max(0.0, *(1.25 * (_middle(alone[name]) - _middle(rows[name])) for name in self._baselines))
        return min(alone[CANDIDATE]) > BATCHED[self.kind] * _middle(rows[CANDIDATE]) + loss + ALONE_NOISE

    def _batched_words(self, rows: Mapping[str, list[float]], alone: Mapping[str, list[float]]) -> str:
        base = self._baselines[0]
        ours, theirs = ([_middle(how[who]) * 1e6 for how in (rows, alone)] for who in (CANDIDATE, base))
        return (
            f"asked in a row, a question takes the candidate {ours[0]:.3g} µs, and asked alone {ours[1]:.3g} µs "
            f"({base}: {theirs[0]:.3g} and {theirs[1]:.3g}): the times are those of questions asked alone"
        )

    def _slowed(self, name: str, warnings: list[str]) -> Ratio:
        """How many times as long a baseline took beside the candidate as without it."""
        beside, without = ([self._row(one) for one in found] for found in (self.arms[name].samples, self.after[name]))
        slowed = estimate.slowed(without, beside, BESIDE[self.kind])
        if slowed.value > 1:
            warnings.append(
                f"{name} took {slowed.value:.3g} times as long while the candidate's processes existed as without "
                "them: its time without them counts"
            )
        return slowed

    def _timing(
        self, name: str, seconds: float, ratio: Ratio, case: Mapping[str, Scalar], device: str, cold: float | None
    ) -> Timing:
        if not ratio.tells:
            raise NotTimed(self._busy())
        windows = [one for samples in self.arms[CANDIDATE].samples for one in samples.seconds]
        quartiles = statistics.quantiles(windows, n=4)
        return Timing(
            case=case,
            baseline=name,
            seconds=seconds,
            baseline_seconds=seconds * ratio.value,
            speedup=ratio.value,
            interval=(ratio.low, ratio.high),
            call=ratio.call,
            windows=len(windows),
            spread=(quartiles[2] - quartiles[0]) / statistics.median(windows),
            device=device,
            cold_seconds=cold,
        )

    def _busy(self) -> str:
        windows = [one for arm in self.arms.values() for samples in arm.samples for one in samples.windows]
        share = sum(one.disturbed for one in windows) / len(windows)
        return (
            "the machine was too busy: processes of the same code differ by more than can be told apart, and in "
            f"{share:.0%} of the windows others held a core that the kernel needed"
        )

    def _cold(self, warm: float) -> float | None:
        """Seconds with the caches emptied: the warm ones and what emptying adds to a question asked alone."""
        ours = {state: [s for one in self.arms[CANDIDATE].samples for s in one.singly[state]] for state in State}
        nothing = self.overhead.singly
        before, emptied = State.STOPPED, State.COLD
        if min(len(part[state]) for part in (ours, nothing) for state in (before, emptied)) < 3:
            return None
        adds = _middle(ours[emptied]) - _middle(nothing[emptied]) - (_middle(ours[before]) - _middle(nothing[before]))
        noise = max(map(statistics.pstdev, (nothing[emptied], nothing[before]))) / math.sqrt(len(nothing[emptied]))
        return warm + adds if adds > 2 * noise else None


def in_parts(both: Timed, forward: Timed) -> list[Timing]:
    """The timings of calls forward and backward, with those parts that ``forward`` by itself tells.

    Backward is the difference; its interval follows from the ends of both others.
    """
    alone = {one.baseline: one for one in forward.timings}
    return [replace(one, parts=_parts(one, alone.get(one.baseline))) for one in both.timings]


def _parts(both: Timing, forward: Timing | None) -> dict[str, PartTiming]:
    if forward is None:
        return {}
    found = {"forward": PartTiming(*_figures(forward))}
    ours, theirs = both.seconds - forward.seconds, both.baseline_seconds - forward.baseline_seconds
    if ours > 0 and theirs > 0:
        ends = zip(both.interval, reversed(forward.interval), strict=True)
        low, high = ((one * both.seconds - other * forward.seconds) / ours for one, other in ends)
        ratio = Ratio(theirs / ours, max(low, 0.0), high)
        found["backward"] = PartTiming(ours, theirs, ratio.value, (ratio.low, ratio.high), ratio.call)
    return found


def _figures(one: Timing) -> tuple[float, float, float, tuple[float, float], str]:
    return one.seconds, one.baseline_seconds, one.speedup, one.interval, one.call


def _middle(figures: Sequence[float]) -> float:
    return statistics.median(figures)
