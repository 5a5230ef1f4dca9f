"""One timing: processes that live at the same time are asked in turn, in rounds, until enough is known."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple, TypeVar

from akgflow.terms import Status
from akgflow.verification.judge.failures import CandidateFailed
from akgflow.verification.judge.resources import memory_plan
from akgflow.verification.judge.resources.memory_plan import no_room
from akgflow.verification.judge.timing.arms import Arm, Samples, make_ready
from akgflow.verification.judge.timing.device_clocks import Watch, reader_for
from akgflow.verification.judge.timing.processes import CANDIDATE, Start, Starts
from akgflow.verification.judge.timing.sizes import ENOUGH_SECONDS, SLOW_SECONDS, Memory, Pace, Sizes, sizes
from akgflow.verification.judge.timing.summary import Pairing, Summary, Timed, in_parts
from akgflow.verification.judge.timing.windows.checker import Checker
from akgflow.verification.judge.timing.windows.questions import NotTimed, Questions
from akgflow.verification.judge.timing.windows.readback import ReadbackFailed, most_in_a_reply
from akgflow.verification.judge.timing.windows.window import Slots, State, TimedWorker, Window, refused
from akgflow.verification.reference.reference import Reference

BUDGET_SECONDS = {"cpu": 7.5, "cuda": 4.0}
LONGER = 2
"""Times its budget that a timing may take where nothing could be told otherwise: others were busy for a while."""
WINDOW_SECONDS = {"cpu": 0.01, "cuda": 0.02}
"""What the windows of the quickest arm should last: long against the 100 µs that a window costs by itself."""
LONGEST_SECONDS = 0.15
"""What the windows of the slowest arm may last."""
MOST_CALLS = {"cpu": 2048, "cuda": 4096}
TRIED = {"cpu": 68, "cuda": 20}
"""Calls by which the size of the windows is chosen. On a GPU the first read of each answer is slow."""
ROUNDS = (5, 40)
FIRST_ROUNDS = {"cpu": 1, "cuda": 0}
"""Rounds of windows that do not count: on a CPU those of new processes are up to half as slow again."""
ALONE_ROUNDS = 2
COLD_PAIRINGS = 4
"""Questions are also asked one at a time in the first rounds that count, and with cold caches in the first pairings of
them: a new process is slow, and one that is slow when it is asked alone looks as if it batched."""
AFTER_ROUNDS = 3
"""Rounds of the baselines once the candidate's processes have ended."""
WINDOW_BYTES = {"cpu": 64 << 20, "cuda": 12 << 30}
"""Bytes that the questions and answers of a window may take, where that allows `FEW` calls: writing and reading them
takes time, too."""
FEW = 8

_secret = random.SystemRandom()
T = TypeVar("T")


def timed(starts: Starts, module: str, device: str, limit: int | None, pace: Pace) -> Timed:
    """The timings of a candidate; where gradients are asked for, with the figures of forward and of backward.

    ``limit`` are bytes of the host that may be taken. Raises what `Session.run` does.
    """
    both = _timed(starts, module, device, limit, pace)
    if starts.reference.case.wanted is None:
        return both
    try:
        if pace.call > SLOW_SECONDS[starts.reference.device]:
            raise NotTimed(f"a call takes {pace.call:.2g} s here")
        forward = _timed(starts.forward_alone(), module, device, limit, pace)
    except NotTimed as error:
        both.warnings.append(f"forward and backward were timed together only: {error}")
        return both
    return replace(both, timings=in_parts(both, forward), seconds=both.seconds + forward.seconds)


def _timed(starts: Starts, module: str, device: str, limit: int | None, pace: Pace) -> Timed:
    arms = starts.candidate(module) | starts.baselines()
    there = memory_plan.for_timing(starts.reference, limit)
    return Session(starts.reference, arms, device, there, pace).run()


class Asked(NamedTuple):
    """What is asked in a pairing."""

    counts: bool
    """Whether its windows of questions asked together count."""
    alone: bool
    cold: bool
    drawn: bool
    """Whether the questions follow from the last draw."""


def asked_in(round_: int, place: int, uncounted: int) -> Asked:
    """What is asked in the pairing at ``place`` of a round, where the first ``uncounted`` rounds do not count."""
    counts, number = round_ >= uncounted, round_ - uncounted
    return Asked(
        counts=counts,
        alone=counts and number < ALONE_ROUNDS,
        cold=counts and number == 0 and place < COLD_PAIRINGS,
        # One draw for a round, in which each process of the candidate is asked once.
        drawn=place > 0,
    )


class Session:
    """Candidate and baselines, each in several processes that live at the same time and are asked in turn."""

    def __init__(self, reference: Reference, starts: Mapping[str, Start], device: str, there: int, pace: Pace) -> None:
        """``there`` are the bytes that may be taken, ``pace`` is how quick the candidate was before."""
        self.reference, self.device, self.kind = reference, device, reference.device
        self._there, self._pace = there, pace
        self.arms: dict[str, Arm] = {}
        self.warnings: list[str] = []
        self.seconds = 0.0
        """Of the windows."""
        self.copies = False
        self._starts = starts
        self._clocks = Watch(reader_for(self.kind))

    def run(self) -> Timed:
        """The timings; raises `NotTimed`, or `CandidateFailed` where the candidate fails on the way."""
        try:
            self._begin()
            self._prepare()
            self._measure()
            self._clocks.require_conclusive()
            found = self.summary.timed(self.reference.case.keys, self.device, self.warnings)
            timings = [replace(one, clocks=self._clocks.found()) for one in found.timings]
            return replace(found, timings=timings, seconds=self.seconds)
        except Exception as error:
            # What was found right stays right where memory is short for a figure.
            if words := no_room(error):
                raise NotTimed(words) from error
            raise
        finally:
            for arm in self.arms.values():
                arm.close()

    @property
    def _baselines(self) -> list[Arm]:
        return [arm for name, arm in self.arms.items() if name != CANDIDATE]

    @property
    def _trusted(self) -> Arm:
        """The first baseline: what it answers is right, and its overhead windows are believed."""
        return next(arm for arm in self.arms.values() if arm.start.trusted)

    def _begin(self) -> None:
        """Start all processes; a baseline that fails is left out with its reason."""
        self._question = Questions(self.reference)
        self.sizes = self._sizes(len(self._starts))
        self._question.look()
        for name, start in self._starts.items():
            self.arms[name] = Arm(name, start, min(start.number, self.sizes.processes))
        failed = make_ready(list(self.arms.values()))
        if CANDIDATE in failed:
            raise failed[CANDIDATE]
        for name, failure in failed.items():
            self.arms.pop(name).close()
            self.warnings.append(f"not timed against {name}: {failure.message}")
            if not any(arm.start.trusted for arm in self.arms.values()):
                raise NotTimed(f"there is nothing to compare with: {failure.message}")

    # How long the windows are.

    def _prepare(self) -> None:
        """Choose the size of the windows, give every process its memory, and let each answer once, unmeasured."""
        try:
            self.n = self._choose_calls()
        except ReadbackFailed as error:
            self.copies = True
            self.warnings.append(f"copying the answers counts in all times, because {error}")
            self.n = self._choose_calls()
        fit = self.sizes
        self.slots = self._attach(self.n + fit.alone + fit.cold + fit.warm)
        self.slots.questions.refresh(self.slots.questions.count)
        self.slots.write(self.slots.questions.count - fit.warm, fit.warm)
        self.summary = Summary(self.arms, self.n, self.kind)
        tolerance = self.reference.case.tolerance or self.arms[CANDIDATE].trials[0].request.tolerance
        self.checker = Checker(self.reference, self.slots.questions, tolerance)
        # The first one asked gets other memory for its answers than the last.
        workers = [worker for arm in self.arms.values() for worker in arm.workers]
        for worker in _shuffled(workers if not fit.slow else []):
            self.slots.questions.refresh(self.n, drawn=True)
            worker.window(0, self.n)
            worker.calls = self.n
            self._take_turns(worker)

    def _choose_calls(self) -> int:
        """Calls of a window, within the memory that a timing may take."""
        self.sizes = chosen = self._sizes(len(self.arms))
        if chosen.few:
            return 1
        count = min(TRIED[self.kind], chosen.slots)
        few = min(4, count // 2)
        slots, taken = self._attach(count), []
        slots.questions.refresh(count)
        for arm in self.arms.values():
            worker = arm.workers[0]
            once = min(worker.window(0, few).seconds for _ in range(3))
            if once < LONGEST_SECONDS / 4:
                more = min(worker.window(few, count - few).seconds for _ in range(3))
                # On a busy machine the few may have taken longer.
                taken.append(max(more - once, more / 4) / max(1, count - 2 * few))
            else:
                taken.append(once / few)
        wanted = min(WINDOW_SECONDS[self.kind] / min(taken), LONGEST_SECONDS / max(taken))
        questions = slots.questions
        by_size = max(FEW, WINDOW_BYTES[self.kind] // (questions.pitch + questions.out_pitch))
        room = chosen.slots - chosen.alone - chosen.cold - chosen.warm
        most = min(MOST_CALLS[self.kind], room, by_size, questions.most, most_in_a_reply(questions))
        return max(1, int(min(most, math.ceil(wanted))))

    def _sizes(self, arms: int) -> Sizes:
        found = Memory(self._there, *self.reference.process_bytes)
        return sizes(self._question, arms, found, self.kind, self.copies, self._pace)

    def _attach(self, count: int) -> Slots:
        for arm in self.arms.values():
            arm.detach()
        slots = Slots(self._question.resized(count), self.kind, self.sizes.warm)
        for arm in self.arms.values():
            arm.attach(slots, self.copies)
        return slots

    # The windows.

    def _measure(self) -> None:
        started, round_ = time.monotonic(), 0
        try:
            while self._goes_on(round_, time.monotonic() - started):
                for asked, place in enumerate(_shuffled(range(len(self.arms[CANDIDATE].workers)))):
                    while not self._pair(place, asked_in(round_, asked, self._uncounted)):
                        pass  # the device was slowed; after some of these the clocks end the timing
                round_ += 1
        except ReadbackFailed as error:
            raise refused(error) from error
        self.seconds = time.monotonic() - started
        self.arms[CANDIDATE].close()
        self._without_candidate()

    def _goes_on(self, round_: int, seconds: float) -> bool:
        """More rounds until enough is known, within the budget."""
        if self.sizes.slow:
            another = not round_ or seconds / round_ * (round_ + 1) < self._pace.most(ENOUGH_SECONDS)
            return another and not (round_ and self.summary.precise)
        budget = min(BUDGET_SECONDS[self.kind], self._pace.windows)
        if seconds > budget:
            return round_ <= self._uncounted or (seconds < LONGER * budget and not self.summary.tells)
        return round_ < ROUNDS[0] or (round_ < ROUNDS[1] and not self.summary.precise)

    @property
    def _uncounted(self) -> int:
        """The rounds that do not count."""
        return 0 if self.sizes.few else FIRST_ROUNDS[self.kind]

    def _pair(self, place: int, how: Asked) -> bool:
        """Ask one process of each arm the same fresh questions, in random order; whether that can be believed."""
        questions, candidate, trusted = self.slots.questions, self.arms[CANDIDATE], self._trusted
        questions.refresh(questions.count if how.alone else self.n, how.drawn)
        # Some memory is quicker to copy to: the arms take turns with it.
        for arm, buffer in zip(
            self.arms.values(), _shuffled(one.answer_buffer for one in self.arms.values()), strict=True
        ):
            buffer.windows.clear()
            arm.answer_into(buffer)
        seconds = {}
        self._clocks.begin(self.arms, self.summary.overhead)
        for arm in _shuffled(self.arms.values()):
            at = place % len(arm.workers)
            seconds[arm.name] = self._ask(arm, at, how._replace(cold=how.cold and arm in (trusted, candidate)))
            self._clocks.look()
            self._take_turns(arm.workers[at])
        pairing = Pairing(place, seconds, self.summary.overhead.seconds[-1])
        believed = self._clocks.keeps()
        self.summary.pairings += [pairing] if believed and how.counts else []
        self.checker.check(candidate.workers[place], trusted.workers[place % len(trusted.workers)])
        return believed

    def _take_turns(self, worker: TimedWorker) -> None:
        """Have a process give its answers' memory back, where there is no room for two of them."""
        if self.sizes.turns:
            worker.release()

    def _ask(self, arm: Arm, at: int, how: Asked) -> float:
        """Ask one process its part of a pairing: questions together, then some one at a time.

        Returns the seconds of those asked together.
        """
        samples, overhead = arm.samples[at], self.summary.overhead
        together, nothing = self._window(arm, at, 0, self.n)
        if how.counts:
            samples.windows.append(together)
        overhead.windows += nothing
        if self.sizes.few:
            samples.singly[State.RUNNING].append(together.seconds)
            overhead.singly[State.RUNNING] += [one.seconds for one in nothing]
        first = self.n + self.sizes.alone
        colds = self.sizes.cold if how.cold and self.slots.sweeps else 0
        for slot in range(self.n, first) if how.alone else ():
            # What emptying the caches adds is told from a process in the same state.
            self._alone(arm, at, slot, State.STOPPED if slot < self.n + colds else State.RUNNING)
        for slot in range(first, first + colds):
            self._alone(arm, at, slot, State.COLD)
        return together.seconds

    def _alone(self, arm: Arm, at: int, slot: int, state: State) -> None:
        """Ask one process a single question."""
        window, nothing = self._window(arm, at, slot, 1, state)
        arm.samples[at].singly[state].append(window.seconds)
        self.summary.overhead.singly[state] += [one.seconds for one in nothing]

    def _window(
        self, arm: Arm, at: int, first: int, n: int, state: State = State.STOPPED
    ) -> tuple[Window, list[Window]]:
        """A window, and the overhead window after it, in which nothing is computed; only of a trusted process.

        On a CPU all are asked again, since a process that is asked more often is quicker. On a GPU the answers would
        have to be read again, and a candidate may have put others in their place.
        """
        worker, trusted = arm.workers[at], arm is self._trusted
        window = worker.window(first, n, state)
        self._unchanged(arm, first, n)
        if not trusted and self.kind == "cuda":
            return window, []
        nothing = worker.window(first, n, state, again=True)
        return window, [nothing] if trusted else []

    def _unchanged(self, arm: Arm, first: int, n: int) -> None:
        if self.slots.questions.draw.mutates or self.slots.unchanged(first, n):
            return
        if not arm.start.trusted and arm.name != CANDIDATE:
            raise NotTimed(f"{arm.name}, which it is timed against, changed its inputs")
        who = "its inputs" if arm.name == CANDIDATE else "the inputs of a baseline"
        raise CandidateFailed(Status.REFUSED, f"the candidate changed {who} while it was timed")

    def _without_candidate(self) -> None:
        """Time the baselines once nothing of the candidate is left that could slow them."""
        for arm in self._baselines:
            workers = arm.workers[:1] if self.sizes.slow else arm.workers
            after = self.summary.after[arm.name] = [Samples() for _ in workers]
            for _ in range(1 if self.sizes.slow else AFTER_ROUNDS):
                for worker, samples in zip(workers, after, strict=True):
                    # As in a pairing: the caches hold what the judge itself does in between.
                    self.slots.questions.refresh(self.n, drawn=True)
                    samples.windows.append(worker.window(0, self.n))
                    self._unchanged(arm, 0, self.n)
                    self._take_turns(worker)


def _shuffled(values: Iterable[T]) -> list[T]:
    found = list(values)
    _secret.shuffle(found)
    return found
