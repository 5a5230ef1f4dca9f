"""Time that a candidate cannot forge: the judge's clock, from releasing K fresh inputs to holding K right outputs.

Candidate and baseline (the operator's own `Model`, run eagerly) sit in two processes of the same kind. In each round
the judge writes the same fresh inputs into the memory that each shares with it, releases one of them while the other
is stopped, and reads the clock once it has its own copy of all the outputs. The difference between windows of 2K and K
calls cancels what a window costs by itself; what handing over costs for each call is measured the same way, by windows
in which the baseline's process copies and computes nothing, and is subtracted from both. Windows in which a process
had to wait for a core are left out: they tell how busy the machine is. Where too few remain, there is no figure.

Every output of every timed window is screened against the baseline's, and those that differ, and some that the judge
picks in secret, are compared with the oracle.
"""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch

from akgflow.terms import Status
from akgflow.verdict import Timing
from akgflow.verification import memory
from akgflow.verification.numerics import compare
from akgflow.verification.process import CandidateFailed
from akgflow.verification.promises import NORMAL, SIGNED
from akgflow.verification.reference import Draw, Reference, out_places, places_size
from akgflow.verification.trial import Trial

BUDGET_SECONDS = 6.0
WINDOW_SECONDS = 0.02
"""What K calls of the quicker side should last: long against the 50 µs that a window costs by itself."""
LONGEST_SECONDS = 0.3
"""What K calls of the slower side may last."""
MOST_CALLS = 512
ROUNDS = (7, 41)
DISTURBED = 0.12
"""A window is disturbed when its process's threads waited for a core for more than this share of it."""
PICKS = 4
MEMORY = {"cpu": 1 << 30, "cuda": 8 << 30}
SETTLE_SECONDS = 0.002
"""For the processes that were stopped or have just written inputs to leave the cores."""
RESAMPLES = 2000

_secret = random.SystemRandom()


class NotTimed(Exception):
    """No figure can be given; the text says why."""


class Window(NamedTuple):
    """Seconds on the judge's clock, and seconds that the process's threads waited for a core meanwhile."""

    seconds: float
    waited: float

    @property
    def disturbed(self) -> bool:
        return self.waited > DISTURBED * self.seconds


def undisturbed(windows: Sequence[Window]) -> list[float]:
    """The seconds of those windows that were not disturbed."""
    return [w.seconds for w in windows if not w.disturbed]


class Kind:
    """Windows of K and of 2K calls of one kind: the candidate's, the baseline's, or copying alone."""

    def __init__(self, calls: int) -> None:
        self.calls = calls
        self.short: list[Window] = []
        self.long: list[Window] = []

    def add(self, n: int, window: Window) -> None:
        """Keep a window of ``n`` calls."""
        (self.short if n == self.calls else self.long).append(window)

    @property
    def enough(self) -> bool:
        """True when as many windows were undisturbed as a figure needs; all of them, where calls are so slow."""
        return all(len(undisturbed(kept)) >= min(ROUNDS[0], len(kept)) for kept in (self.short, self.long))

    def samples(self) -> tuple[list[float], list[float]]:
        """Seconds of the windows that count, of K calls and of 2K."""
        return undisturbed(self.short), undisturbed(self.long)


Samples = tuple[Sequence[float], Sequence[float]]


def per_call(samples: Samples, calls: int) -> float:
    """Seconds for one call: the slope between the medians of the two window sizes."""
    return (statistics.median(samples[1]) - statistics.median(samples[0])) / calls


class Side:
    """One process and the memory that it shares with the judge: ``count`` slots of inputs and outputs."""

    def __init__(self, trial: Trial, questions: Questions) -> None:
        self.trial, self.questions = trial, questions
        count, device = questions.count, trial.device
        self.region = memory.create(count * questions.pitch, device)
        self.out = memory.create(count * questions.out_pitch, device)
        self.held = torch.zeros_like(self.out.bytes)
        fds = [region.fd for region in (self.region, self.out) if region.fd is not None]
        trial.process.resume()
        trial.process.ask(
            "prepare_windows",
            60.0,
            fds,
            region=dict(self.region.handle),
            out_region=dict(self.out.handle),
            inputs=questions.layout.tree,
            outs=questions.outs,
            pitch=questions.pitch,
            out_pitch=questions.out_pitch,
            count=count,
        )
        trial.process.pause()

    def window(self, n: int, copy_only: bool = False) -> Window:
        """The time from releasing the first ``n`` slots to holding a copy of their outputs."""
        size = n * self.questions.pitch
        self.region.bytes[:size].copy_(self.questions.master[:size])
        held, out = self.held[: n * self.questions.out_pitch], self.out.bytes[: n * self.questions.out_pitch]
        self.trial.process.resume()
        self._settle()
        time.sleep(SETTLE_SECONDS)
        waited = self.trial.process.waited()
        start = time.perf_counter()
        limit = self.trial.request.limits.run_seconds
        self.trial.process.ask("window", limit, watch=1.0, n=n, copy_only=copy_only)
        held.copy_(out)
        self._settle()
        seconds = time.perf_counter() - start
        waited = self.trial.process.waited() - waited
        self.trial.process.pause()
        return Window(seconds, waited)

    def _settle(self) -> None:
        if self.trial.device == "cuda":
            torch.cuda.synchronize()

    def answer(self, slot: int, output: int) -> torch.Tensor:
        """The judge's copy of one output of a slot."""
        place, like = self.questions.outs[output], self.questions.draw.expected[output].framework
        start = slot * self.questions.out_pitch + place["offset"]
        data = self.held[start : start + like.numel() * like.element_size()]
        return data.view(like.dtype).reshape(like.shape)

    def inputs_changed(self, n: int) -> bool:
        """True when the inputs of the last window are not what the judge wrote."""
        size = n * self.questions.pitch
        return not torch.equal(self.region.bytes[:size], self.questions.master[:size])


class Questions:
    """Fresh inputs for ``count`` slots, in memory that only the judge has."""

    def __init__(self, reference: Reference, count: int) -> None:
        self.reference, self.count = reference, count
        self.draw: Draw = reference.draws[1]
        self.layout = memory.lay_out(list(self.draw.inputs))
        self.pitch = max(self.layout.size, memory.ALIGN)
        self.outs = out_places([one.framework for one in self.draw.expected])
        self.out_pitch = max(places_size(self.outs), memory.ALIGN)
        self.master = torch.zeros(count * self.pitch, dtype=torch.uint8, device=reference.device)
        self.bases: list[memory.Layout] = []

    def refresh(self, n: int) -> None:
        """New values for the first ``n`` slots: a new draw, turned and scaled for each slot by secret amounts."""
        made = self.reference.fresh(self.draw.distribution, self.draw.way)
        base = memory.lay_out(list(made))
        if base.tree != self.layout.tree:
            raise NotTimed("the operator's inputs change their shapes from draw to draw")
        free = [kept.plain for kept in self.reference.promises]
        turn = self.draw.distribution == NORMAL and self.draw.way == SIGNED
        for slot in range(n):
            for one, may in zip(base.placed, free, strict=True):
                target = self._row(slot, one)
                row = memory.row(one)
                if may and turn and row.numel() > 1:
                    at = _secret.randrange(row.numel())
                    torch.cat((row[at:], row[:at]), out=target)
                else:
                    target.copy_(row)
                if may:
                    target.mul_(_secret.uniform(0.75, 1.25))

    def _row(self, slot: int, one: memory.Placed) -> torch.Tensor:
        start = slot * self.pitch + one.offset
        return self.master[start : start + memory.span(one.tensor) * one.tensor.element_size()].view(one.tensor.dtype)

    def inputs(self, slot: int) -> Any:
        """The inputs of a slot, as the operator takes them."""
        region = memory.Region(self.master, {})
        return tuple(memory.rebuild(self.layout.tree, region, slot * self.pitch))


def time_candidate(trial: Trial, baseline: Trial, reference: Reference, device: str) -> Timing:
    """Time a candidate that is already right against the operator run eagerly, both built for the same case."""
    calls = _choose_calls(trial, baseline, reference)
    questions = Questions(reference, 2 * calls)
    sides = Side(trial, questions), Side(baseline, questions)
    checker = Checker(trial, reference, questions)
    kinds = {name: Kind(calls) for name in ("candidate", "baseline", "copying")}
    for side in sides:
        questions.refresh(2 * calls)
        side.window(2 * calls)
    started, rounds = time.monotonic(), 0
    while rounds < ROUNDS[0] or _goes_on(kinds, rounds, time.monotonic() - started):
        _round(sides, calls, questions, kinds, checker)
        rounds += 1
        if time.monotonic() - started > 5 * BUDGET_SECONDS and rounds >= 3:
            break
    return _summary(kinds, reference, device)


def _goes_on(kinds: Mapping[str, Kind], rounds: int, seconds: float) -> bool:
    """More rounds within the budget; and up to three times as long while the machine is too busy."""
    if all(kind.enough for kind in kinds.values()):
        return seconds < BUDGET_SECONDS and rounds < ROUNDS[1]
    return seconds < 3 * BUDGET_SECONDS and rounds < 3 * ROUNDS[1]


def _choose_calls(trial: Trial, baseline: Trial, reference: Reference) -> int:
    """K: windows long enough to be told from their own cost, within the memory that may be shared."""
    questions = Questions(reference, 4)
    slot = 3 * questions.pitch + 4 * questions.out_pitch
    most = min(MOST_CALLS, MEMORY[trial.device] // (2 * slot))
    if most < 1:
        raise NotTimed("two sets of inputs and outputs do not fit into the memory that a timing may share")
    questions.refresh(4)
    quickest = []
    for one in (trial, baseline):
        side = Side(one, questions)
        side.window(4)
        quickest.append(min(side.window(4).seconds for _ in range(3)) / 4)
    wanted = min(WINDOW_SECONDS / min(quickest), LONGEST_SECONDS / max(quickest))
    return max(1, min(most, math.ceil(wanted)))


def _round(
    sides: tuple[Side, Side], calls: int, questions: Questions, kinds: Mapping[str, Kind], checker: Checker
) -> None:
    """Windows of K and 2K calls for both sides and for copying alone, in an order drawn anew."""
    candidate, baseline = sides
    sizes = [calls, 2 * calls]
    _secret.shuffle(sizes)
    for n in sizes:
        questions.refresh(n)
        steps = [("candidate", candidate), ("baseline", baseline)]
        _secret.shuffle(steps)
        for name, side in steps:
            kinds[name].add(n, side.window(n))
        checker.check(candidate, baseline, n)
        kinds["copying"].add(n, baseline.window(n, copy_only=True))


class Checker:
    """Looks at what was answered while the clock ran."""

    def __init__(self, trial: Trial, reference: Reference, questions: Questions) -> None:
        self.trial, self.reference, self.questions = trial, reference, questions
        self.picks = PICKS
        bounds = [one.bound for one in questions.draw.expected]
        self.loose = [None if b is None or not b.numel() else 4.0 * float(b.max()) for b in bounds]

    def check(self, candidate: Side, baseline: Side, n: int) -> None:
        """Raise `CandidateFailed` when an answer of the last windows is wrong or their inputs were changed."""
        if not self.questions.draw.mutates and candidate.inputs_changed(n):
            raise CandidateFailed(Status.REFUSED, "the candidate changed its inputs while it was timed")
        suspects = [slot for slot in range(n) if not self._alike(candidate, baseline, slot)][:3]
        if self.picks > 0:
            self.picks -= 1
            suspects.append(_secret.randrange(n))
        for slot in suspects:
            self._confirm(candidate, slot)

    def _alike(self, candidate: Side, baseline: Side, slot: int) -> bool:
        for output, loose in enumerate(self.loose):
            got, base = candidate.answer(slot, output), baseline.answer(slot, output)
            if loose is None:
                if not torch.equal(got, base):
                    return False
            elif not bool(((got - base).abs() <= loose).all()):
                return False
        return True

    def _confirm(self, candidate: Side, slot: int) -> None:
        """Compare one answer with the oracle."""
        truth = self.reference.answer(self.questions.inputs(slot), self.questions.draw.distribution)
        for output, expected in enumerate(truth.expected):
            got = candidate.answer(slot, output)
            found = compare(got, expected, output, self.trial.request.tolerance)
            if found.wrong:
                text = f"right when it was checked and wrong while it was timed: {found.detail}"
                raise CandidateFailed(Status.INCORRECT_NUMERICAL, text)


def _summary(kinds: Mapping[str, Kind], reference: Reference, device: str) -> Timing:
    if not all(kind.enough for kind in kinds.values()):
        raise NotTimed(_busy(kinds))
    calls = kinds["candidate"].calls
    ours, theirs, copying = (kinds[name].samples() for name in ("candidate", "baseline", "copying"))
    handing_over = max(0.0, per_call(copying, calls))
    seconds, base = per_call(ours, calls) - handing_over, per_call(theirs, calls) - handing_over
    if min(seconds, base) <= max(0.0, 0.1 * handing_over):
        raise NotTimed("a call is too short to be told from handing its answer over")
    low, high = interval(ours, theirs, copying, calls)
    if low <= 0 or not math.isfinite(high):
        raise NotTimed("windows differ among themselves by more than a call takes")
    quartiles = statistics.quantiles(ours[1], n=4)
    return Timing(
        case=reference.case.keys,
        baseline="eager",
        seconds=seconds,
        baseline_seconds=base,
        speedup=base / seconds,
        interval=(low, high),
        call="faster" if low > 1 else "slower" if high < 1 else "same",
        windows=len(ours[0]) + len(ours[1]),
        spread=(quartiles[2] - quartiles[0]) / statistics.median(ours[1]),
        device=device,
    )


def _busy(kinds: Mapping[str, Kind]) -> str:
    windows = [w for kind in kinds.values() for w in (*kind.short, *kind.long)]
    share = sum(w.disturbed for w in windows) / len(windows)
    return f"the machine was too busy: in {share:.0%} of the windows others held a core that the kernel needed"


def interval(ours: Samples, theirs: Samples, copying: Samples, calls: int) -> tuple[float, float]:
    """95 % bootstrap interval of the ratio of seconds a call, theirs over ours, handing over subtracted from both.

    Each argument holds seconds of windows of ``calls`` and of twice as many calls.
    """
    ratios = []
    for _ in range(RESAMPLES):
        a, b, c = (per_call((_again(s[0]), _again(s[1])), calls) for s in (ours, theirs, copying))
        handing_over = max(0.0, c)
        below = a - handing_over
        ratios.append((b - handing_over) / below if below > 0 else math.inf)
    ratios.sort()
    return ratios[int(0.025 * RESAMPLES)], ratios[int(0.975 * RESAMPLES) - 1]


def _again(values: Sequence[float]) -> list[float]:
    return _resampling.choices(values, k=len(values))


_resampling = random.Random(0)
"""Resampling needs no secrecy, and the same measurements should give the same interval."""
