"""Ranks many candidates in one go: which of them are worth a judgement.

All are built side by side and checked on one draw of each case. Then they are asked the same fresh questions in turn,
on the clock of a timing, while the others are stopped; the first one, with which all are compared, in every round.
Rounds come in stages: after each, the slower half has ended (successive halving, Jamieson and Talwalkar 2016), and what
is hopeless at its first calls is not asked again.

The answers in the windows are not looked at; between stages each is asked again what it answered before. What still
answers without computing comes in front, is judged, and is found out there: no verdict comes from a ranking.
"""

from __future__ import annotations

import contextlib
import math
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import torch

from akgflow.ranking import Ranked, Ranking
from akgflow.terms import Status
from akgflow.verdict import CaseResult
from akgflow.verification.judge.evaluation import Trial
from akgflow.verification.judge.failures import CandidateFailed, Measured, result_failure
from akgflow.verification.judge.resources import memory_plan
from akgflow.verification.judge.timing.processes import Start
from akgflow.verification.judge.timing.session import MOST_CALLS, WINDOW_BYTES
from akgflow.verification.judge.timing.sizes import WARM
from akgflow.verification.judge.timing.windows.questions import NotTimed, Questions
from akgflow.verification.judge.timing.windows.readback import AnswerBuffer, ReadbackFailed, most_in_a_reply
from akgflow.verification.judge.timing.windows.window import Slots, TimedWorker, Window
from akgflow.verification.reference.inputs import Draw
from akgflow.verification.reference.reference import Reference

MOST_ALIVE = {"cpu": 17, "cuda": 33}
"""Processes that are there at a time, the first one with them."""
WINDOW_SECONDS = {"cpu": 0.008, "cuda": 0.01}
"""What the windows of the first one should last."""
ROUNDS = (5, 6, 8, 14)
"""Of each stage; the last one's are those of all that follow."""
LAST = 4
"""So many go through the last stage."""
HOPELESS = 2.0
"""What takes so many times as long as the first one at its first calls is asked no more. One case may make up for
another: of several, it is the power of their number."""
PROBES = 4
"""Windows after which that is clear; two are enough for what is quick."""
FEW, SLOW_SECONDS = 4, 0.02
"""Calls of the first windows; one, where a call takes longer than this."""
LEAST_QUIET = 3
"""Windows that nobody disturbed, from which on the others do not count."""

_secret = random.SystemRandom()
_one_at_a_time = Lock()


class CheckedTrial(Trial):
    """A process beside others that are checked at the same time: answers are compared one after the other."""

    def check(self, reference: Reference, draw: Draw, base: int = 0, between: Draw | None = None) -> Measured:
        # Between two checks there may have been windows, with memory of their own.
        self._regions.replaced()
        # A large case has its inputs once.
        with _one_at_a_time if draw.in_place else contextlib.nullcontext():
            return super().check(reference, draw, base, between)

    def _judged(
        self, reference: Reference, draw: Draw, result: CaseResult, outputs: Sequence[torch.Tensor]
    ) -> Measured:
        with contextlib.nullcontext() if draw.in_place else _one_at_a_time:
            return super()._judged(reference, draw, result, outputs)


class Entrant:
    """One candidate: its process while it has one, and what was seen of it."""

    def __init__(self, start: Start, cases: int) -> None:
        self._start = start
        self._trial: Trial | None = None
        self._built: Reference | None = None
        self.failure: CandidateFailed | None = None
        self.hopeless = 0.0
        """The speed by which it was given up at its first calls."""
        self.pairs: list[list[tuple[float, float, bool]]] = [[] for _ in range(cases)]
        """For each case the seconds of its windows and of the first one's beside them, and whether they were quiet."""

    def built(self, reference: Reference) -> Trial:
        """Its process with the model for a case, started where it has none."""
        if self._trial is None:
            self._trial, self._built = self._start.begin(), None
            self._start.ready(self._trial)
        if self._built is not reference:
            self._trial.process.resume()
            self._trial.build(reference)
            self._built = reference
        return self._trial

    def check(self, references: Sequence[Reference]) -> None:
        """Ask it one draw of each case."""
        for reference in references:
            trial = self.built(reference)
            trial.process.resume()
            trial.measured.append(trial.check(reference, reference.draws[1]))
        if wrong := result_failure(trial.measured):
            raise wrong
        trial.require_kernels()
        trial.require_no_stray_reply()

    def close(self) -> None:
        """End its process."""
        if self._trial is not None:
            self._trial.close()
        self._trial = None

    def out(self, failure: CandidateFailed) -> None:
        """It failed, and is asked no more."""
        self.failure = failure
        self.close()

    @property
    def runs(self) -> bool:
        """True while it may still come first."""
        return self.failure is None and not self.hopeless

    @property
    def speeds(self) -> tuple[float, ...]:
        """How many times as fast as the first one, for each case in which there were windows."""
        return tuple(_speed(pairs) for pairs in self.pairs if pairs)

    @property
    def speed(self) -> float:
        """The same over all cases; 0 where nothing is known."""
        return self.hopeless or (statistics.geometric_mean(self.speeds) if self.speeds else 0.0)

    def ranked(self) -> Ranked:
        """What was seen of it."""
        if self.failure is not None:
            return Ranked(status=self.failure.status, why=self.failure.message)
        if not self.speed:
            return Ranked(why="time was up before it was asked")
        whole = len(self.speeds) == len(self.pairs)
        return Ranked(self.speed, self.speeds if whole else (), min(map(len, self.pairs)))


def _speed(pairs: Sequence[tuple[float, float, bool]]) -> float:
    """The median of the first one's seconds over its own, in quiet windows where there are enough."""
    quiet = [first / own for own, first, calm in pairs if calm]
    return statistics.median(quiet if len(quiet) >= LEAST_QUIET else [first / own for own, first, _ in pairs])


class Ranker:
    """Ranks ``entrants``, the first of which was judged right before.

    ``references`` are those of the cases; ``grant`` returns when the machine is this judge's alone. ``most`` bytes of
    the host may be taken; windows may take so many ``seconds``.
    """

    def __init__(
        self,
        references: Sequence[Reference],
        entrants: Sequence[Entrant],
        grant: Callable[[], None],
        *,
        cores: int,
        most: int | None,
        seconds: float,
    ) -> None:
        self.references, self.entrants = references, entrants
        self.first, self.others = entrants[0], entrants[1:]
        self._grant, self._cores, self._limit, self._left = grant, cores, most, seconds
        self._questions: dict[int, tuple[Questions, int]] = {}

    def run(self) -> Ranking:
        """The ranking of all but the first."""
        try:
            for reference in self.references:
                reference.prepare()
            self.first.check(self.references)
            alive = min(map(self._fit, self.references)) - 1
            self._side_by_side(self.others, lambda one: self._checked(one, stays=len(self.others) <= alive))
            right = [one for one in self.others if one.runs]
            if right:
                self._grant()
            for at in range(0, len(right), alive):
                self._heat(right[at : at + alive])
        except NotTimed as error:
            return Ranking(reason=str(error))
        except CandidateFailed as failure:
            return Ranking(reason=f"the candidate with which the others are compared: {failure.message}")
        finally:
            for one in self.entrants:
                one.close()
        return Ranking(tuple(one.ranked() for one in self.others))

    def _side_by_side(self, entrants: Sequence[Entrant], work: Callable[[Entrant], None]) -> None:
        """Do ``work`` with all that run; a failure of its own puts one out."""
        with ThreadPoolExecutor(max(1, self._cores)) as pool:
            for done in [pool.submit(_tried, work, one) for one in entrants if one.runs]:
                done.result()

    def _checked(self, one: Entrant, *, stays: bool) -> None:
        one.check(self.references)
        if stays:
            one.built(self.references[-1]).process.pause()
        else:
            one.close()

    def _fit(self, reference: Reference) -> int:
        """Processes for which there is memory; raises `NotTimed` where two do not fit."""
        there = memory_plan.for_timing(reference, self._limit)
        questions = Questions(reference)
        on_gpu = reference.device == "cuda"
        fixed = 2 * (FEW + WARM) * questions.pitch
        own = memory_plan.CONTEXT_BYTES if on_gpu else memory_plan.PROCESS_BYTES
        each = sum(reference.process_bytes) + (FEW + WARM) * questions.out_pitch + own
        fit = min(MOST_ALIVE[reference.device], (there - fixed) // each)
        if fit < 2:
            words = memory_plan.in_words(fixed + 2 * each)
            raise NotTimed(f"ranking takes at least {words}, and {memory_plan.in_words(max(0, there))} may be taken")
        return fit

    def _heat(self, entrants: Sequence[Entrant]) -> None:
        """Time some beside the first one, in stages of which the slower half does not see the next one."""
        alive, stage = list(entrants), 0
        while alive and self._left > 0:
            last = len(alive) <= LAST
            for place in range(len(self.references)):
                self._stage(place, [one for one in alive if one.runs], ROUNDS[min(stage, len(ROUNDS) - 1)])
            self._side_by_side(alive, self._still_right)
            order = sorted((one for one in alive if one.runs), key=lambda one: one.speed, reverse=True)
            alive = [] if last else order[: max(LAST, -(-len(order) // 2))]
            for one in entrants:
                if one not in alive:
                    one.close()
            stage += 1

    def _still_right(self, one: Entrant) -> None:
        """Ask it again what it answered rightly before: what computes no more while it is timed may be seen here."""
        reference = self.references[-1]
        if not reference.large:
            one.check([reference])
            one.built(reference).process.pause()

    def _stage(self, place: int, entrants: Sequence[Entrant], rounds: int) -> None:
        """Rounds of one case, in which the first one and ``entrants`` are asked the same."""
        reference = self.references[place]
        self.first.built(reference).process.pause()
        self._side_by_side(entrants, lambda one: one.built(reference).process.pause())
        started = time.monotonic()
        try:
            self._rounds(place, entrants, rounds)
        finally:
            self._left -= time.monotonic() - started

    def _rounds(self, place: int, entrants: Sequence[Entrant], rounds: int, *, copies: bool = False) -> None:
        until = time.monotonic() + self._left
        every = [self.first, *(one for one in entrants if one.runs)]
        try:
            questions, calls = self._look(place, every, copies=copies)
            with _Turns(questions, every, calls, copies=copies) as turns:
                turns.round(None)
                for number in range(rounds):
                    if number and time.monotonic() > until:
                        break
                    turns.round(place)
        except ReadbackFailed as error:
            if copies:
                raise NotTimed(str(error)) from error
            self._rounds(place, entrants, rounds, copies=True)

    def _look(self, place: int, every: Sequence[Entrant], *, copies: bool) -> tuple[Questions, int]:
        """The questions of a case, and the calls of a window; those that are hopeless are given up on the way."""
        if place not in self._questions:
            reference = self.references[place]
            questions = Questions(reference)
            questions.look()
            first = self.first.built(reference)
            few = FEW if first.quickest < SLOW_SECONDS else 1
            with _Turns(questions, every, few, copies=copies) as turns:
                taken = turns.probe(HOPELESS ** len(self.references))
            call = taken[self.first] / few
            there = memory_plan.for_timing(reference, self._limit) // 2
            each = 2 * questions.pitch + len(every) * questions.out_pitch
            room = min(WINDOW_BYTES[reference.device], there) // each
            most = min(MOST_CALLS[reference.device], max(few, room), questions.most, most_in_a_reply(questions))
            wanted = math.ceil(WINDOW_SECONDS[reference.device] / call)
            self._questions[place] = questions, max(1, int(min(most, wanted)))
        return self._questions[place]


class _Turns:
    """Processes that share the memory of questions, the first one before the others. Raises `ReadbackFailed`."""

    def __init__(self, questions: Questions, entrants: Sequence[Entrant], calls: int, *, copies: bool) -> None:
        self.first, self.others, self.calls = entrants[0], entrants[1:], calls
        reference = questions.reference
        self.slots = Slots(questions.resized(calls + WARM), reference.device, WARM)
        self.slots.questions.refresh(calls + WARM)
        self.slots.write(calls, WARM)
        buffer = self.slots.answer_buffer()
        self._workers: dict[Entrant, TimedWorker] = {}
        for one in entrants:
            _tried(lambda one: self._attach(one, reference, buffer, copies=copies), one)
        self._require_first()

    def _attach(self, one: Entrant, reference: Reference, buffer: AnswerBuffer, *, copies: bool) -> None:
        self._workers[one] = TimedWorker(one.built(reference), self.slots, buffer, copies)

    def __enter__(self) -> _Turns:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers.values():
            worker.close()

    def probe(self, hopeless: float) -> Mapping[Entrant, float]:
        """Seconds of the quickest of a few windows of each; what takes so many times the first one's is given up.

        Not the quickest one's: that may be one that does not compute.
        """
        taken: dict[Entrant, float] = {}
        for one in (self.first, *self.others):
            calm = False
            for number in range(PROBES):
                window = self._window(one)
                if window is None:
                    break
                taken[one] = min(window.seconds, taken.get(one, math.inf))
                calm |= not window.disturbed
                if number and (one is self.first or taken[one] <= hopeless * taken[self.first]):
                    break
            else:
                # On a busy machine its windows say nothing of itself.
                one.hopeless = taken[self.first] / taken[one] if calm else 0.0
        return taken

    def round(self, place: int | None) -> None:
        """Ask each the same fresh questions, in random order; without a ``place`` nothing is kept."""
        self.slots.questions.refresh(self.calls)
        order = [self.first, *(one for one in self.others if one.runs)]
        _secret.shuffle(order)
        windows = {one: self._window(one) for one in order}
        first = windows.pop(self.first)
        for one, window in windows.items():
            if window is not None and first is not None and place is not None:
                calm = not (window.disturbed or first.disturbed)
                one.pairs[place].append((window.seconds, first.seconds, calm))
        for one in order:
            self._workers[one].calls = self.calls

    def _window(self, one: Entrant) -> Window | None:
        """One window; None for one that is out."""
        found: list[Window] = []
        _tried(lambda one: found.append(self._asked(one)), one)
        self._require_first()
        return found[0] if found else None

    def _asked(self, one: Entrant) -> Window:
        window = self._workers[one].window(0, self.calls)
        if not self.slots.questions.draw.mutates and not self.slots.unchanged(0, self.calls):
            raise CandidateFailed(Status.REFUSED, "the candidate changed its inputs while it was timed")
        return window

    def _require_first(self) -> None:
        if self.first.failure is not None:
            raise self.first.failure


def _tried(work: Callable[[Entrant], None], one: Entrant) -> None:
    """Do ``work`` with one that runs; a failure of its own puts it out."""
    if one.runs:
        try:
            work(one)
        except CandidateFailed as failure:
            one.out(failure)
