"""One timing: processes side by side, visits in turn, until enough is known."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterable, Mapping
from typing import TypeVar

import psutil
import torch

from akgflow.terms import Status
from akgflow.verification.judge.failures import CandidateFailed
from akgflow.verification.judge.timing.arms import Kept, Party, make_ready
from akgflow.verification.judge.timing.checker import Checker
from akgflow.verification.judge.timing.processes import CANDIDATE, Start
from akgflow.verification.judge.timing.questions import NotTimed, Questions
from akgflow.verification.judge.timing.readback import NotTaken, sayable
from akgflow.verification.judge.timing.summary import Figures, Timed, Visit
from akgflow.verification.judge.timing.window import WARM, Slots, Window, refused
from akgflow.verification.reference.reference import Reference

BUDGET_SECONDS = {"cpu": 7.5, "cuda": 4.0}
WINDOW_SECONDS = {"cpu": 0.03, "cuda": 0.02}
"""What the windows of the quicker side should last: long against the 100 µs that a window costs by itself."""
LONGEST_SECONDS = 0.15
"""What the windows of the slower side may last."""
MOST_CALLS = 4096
TRIED = {"cpu": 68, "cuda": 20}
"""Calls that the size of the windows is chosen by. On a GPU each answer that is taken for the first time is dear."""
LAPS = (5, 40)
ALONE, COLD = 4, 2
"""Questions asked one at a time, warm at each visit of the first laps, and cold at each of the first."""
ALONE_LAPS = 2
AFTER_LAPS = 3
"""Laps of the baseline once the candidate's processes are gone."""
MEMORY = {"cpu": 2 << 30, "cuda": 64 << 30}
WINDOW_BYTES = {"cpu": 64 << 20, "cuda": 12 << 30}
"""What the questions and answers of a window may take, but for a few: writing and taking them takes time, too."""
FEW = 8

_secret = random.SystemRandom()
T = TypeVar("T")


class Session:
    """Candidate and baselines, each in several processes that live at the same time and are visited in turn."""

    def __init__(self, reference: Reference, starts: Mapping[str, Start], device: str) -> None:
        self.reference, self.device, self.kind = reference, device, reference.device
        self.parties: dict[str, Party] = {}
        self.warnings: list[str] = []
        self.copies = False
        self._starts = starts

    def run(self) -> Timed:
        """The timings; raises `NotTimed`, or `CandidateFailed` where the candidate fails on the way."""
        try:
            self._begin()
            self._prepare()
            self._measure()
            return self.figures.timed(self.reference.case.keys, self.device, self.warnings)
        finally:
            for party in self.parties.values():
                party.close()

    @property
    def _baselines(self) -> list[Party]:
        return [party for name, party in self.parties.items() if name != CANDIDATE]

    def _begin(self) -> None:
        """Start all processes; a baseline that fails is left out with its reason."""
        for name, start in self._starts.items():
            self.parties[name] = Party(name, start)
        failed = make_ready(list(self.parties.values()))
        if CANDIDATE in failed:
            raise failed[CANDIDATE]
        for name, failure in failed.items():
            self.parties.pop(name).close()
            self.warnings.append(f"not timed against {name}: {failure.message}")
            if not self._baselines:
                raise NotTimed(f"there is nothing to compare with: {failure.message}")

    # How long the windows are.

    def _prepare(self) -> None:
        """Choose the size of the windows, give every process its memory, and let each answer once, unmeasured."""
        try:
            self.n = self._choose_calls()
        except NotTaken as error:
            self.copies = True
            self.warnings.append(f"copying the answers counts in all times, because {error}")
            self.n = self._choose_calls()
        self.slots = self._attach(self.n + ALONE + COLD + WARM)
        self.slots.questions.refresh(self.slots.questions.count)
        self.slots.write(self.slots.questions.count - WARM, WARM)
        self.figures = Figures(self.parties, self.n, self.kind)
        tolerance = self.reference.case.tolerance or self.parties[CANDIDATE].trials[0].request.tolerance
        self.checker = Checker(self.reference, self.slots.questions, tolerance)
        # Who comes first gets other memory for its answers than who comes last.
        for side in _shuffled(side for party in self.parties.values() for side in party.sides):
            self.slots.questions.refresh(self.n)
            side.window(0, self.n)
            side.calls = self.n

    def _choose_calls(self) -> int:
        """Calls of a window, within the memory that a timing may take."""
        room = self._room()
        if room < 3 + ALONE + COLD + WARM:
            raise NotTimed("a few sets of inputs and outputs do not fit into the memory that a timing may share")
        count = min(TRIED[self.kind], room)
        few = min(4, count // 2)
        slots, taken = self._attach(count), []
        slots.questions.refresh(count)
        for party in self.parties.values():
            side = party.sides[0]
            once = min(side.window(0, few).seconds for _ in range(3))
            if once < LONGEST_SECONDS / 4:
                more = min(side.window(few, count - few).seconds for _ in range(3))
                taken.append(max(more - once, 1e-7) / max(1, count - 2 * few))
            else:
                taken.append(once / few)
        wanted = min(WINDOW_SECONDS[self.kind] / min(taken), LONGEST_SECONDS / max(taken))
        questions = slots.questions
        by_size = max(FEW, WINDOW_BYTES[self.kind] // (questions.pitch + questions.out_pitch))
        most = min(MOST_CALLS, room - ALONE - COLD - WARM, by_size, questions.most, sayable(questions))
        return max(1, int(min(most, math.ceil(wanted))))

    def _room(self) -> int:
        """Slots that fit into the memory that a timing may take."""
        questions = Questions(self.reference, 1)
        sides = sum(len(party.trials) for party in self.parties.values())
        slot = 2 * questions.pitch + (sides * (2 if self.copies else 1) + len(self.parties)) * questions.out_pitch
        free = torch.cuda.mem_get_info()[0] // 2 if self.kind == "cuda" else psutil.virtual_memory().available // 4
        return int(min(MEMORY[self.kind], free) // slot)

    def _attach(self, count: int) -> Slots:
        for party in self.parties.values():
            party.detach()
        slots = Slots(Questions(self.reference, count), self.kind)
        for party in self.parties.values():
            party.attach(slots, self.copies)
        return slots

    # The windows.

    def _measure(self) -> None:
        started, lap = time.monotonic(), 0
        try:
            while self._goes_on(lap, time.monotonic() - started):
                for place in _shuffled(range(len(self.parties[CANDIDATE].sides))):
                    self._visit(place, alone=lap < ALONE_LAPS, cold=lap == 0)
                lap += 1
        except NotTaken as error:
            raise refused(error) from error
        self.parties[CANDIDATE].close()
        self._without_candidate()

    def _goes_on(self, lap: int, seconds: float) -> bool:
        """More laps until enough is known, within the budget."""
        if lap < LAPS[0]:
            return lap < ALONE_LAPS or seconds < BUDGET_SECONDS[self.kind]
        return seconds < BUDGET_SECONDS[self.kind] and lap < LAPS[1] and not self.figures.precise

    def _visit(self, place: int, alone: bool, cold: bool) -> None:
        """The same fresh questions to one process of each kind, in an order drawn anew."""
        questions, candidate, trusted = self.slots.questions, self.parties[CANDIDATE], self._baselines[0]
        questions.refresh(questions.count if alone else self.n)
        # Some memory is quicker to copy to: no party shall have it to itself.
        for party, held in zip(self.parties.values(), _shuffled(p.held for p in self.parties.values()), strict=True):
            held.taken.clear()
            party.answer_into(held)
        seconds = {}
        for party in _shuffled(self.parties.values()):
            at = place % len(party.sides)
            seconds[party.name] = self._ask(party, at, alone, cold and party in (trusted, candidate))
        self.figures.visits.append(Visit(place, seconds, self.figures.null.seconds[-1]))
        self.checker.check(candidate.sides[place], trusted.sides[place % len(trusted.sides)])

    def _ask(self, party: Party, at: int, alone: bool, cold: bool) -> float:
        """A process's share of a visit: questions together, whose seconds it returns, then some one at a time."""
        kept, null = party.kept[at], self.figures.null
        together, nothing = self._window(party, at, 0, self.n)
        kept.windows.append(together)
        null.windows += nothing
        for slot in range(self.n, self.n + ALONE) if alone else ():
            window, nothing = self._window(party, at, slot, 1)
            kept.alone.append(window.seconds)
            null.alone += [one.seconds for one in nothing]
        for slot in range(self.n + ALONE, self.n + ALONE + COLD) if cold and self.slots.sweeps else ():
            window, nothing = self._window(party, at, slot, 1, cold=True)
            kept.cold.append(window.seconds)
            null.cold += [one.seconds for one in nothing]
        return together.seconds

    def _window(self, party: Party, at: int, first: int, n: int, cold: bool = False) -> tuple[Window, list[Window]]:
        """A window, and what it costs where nothing is computed: of a trusted process, since others are not believed.

        On a CPU all are asked again, since a process that is asked more often is quicker. On a GPU the answers would
        have to be taken again, and a candidate may have put others in their place.
        """
        side, trusted = party.sides[at], party is self._baselines[0]
        window = side.window(first, n, cold=cold)
        self._unchanged(party, first, n)
        if not trusted and self.kind == "cuda":
            return window, []
        nothing = side.window(first, n, again=True, cold=cold)
        return window, [nothing] if trusted else []

    def _unchanged(self, party: Party, first: int, n: int) -> None:
        if self.slots.questions.draw.mutates or self.slots.unchanged(first, n):
            return
        who = "its inputs" if party.name == CANDIDATE else "the inputs of a baseline"
        raise CandidateFailed(Status.REFUSED, f"the candidate changed {who} while it was timed")

    def _without_candidate(self) -> None:
        """What the baselines take once nothing of the candidate is left that could slow them."""
        for party in self._baselines:
            after = self.figures.after[party.name] = [Kept() for _ in party.sides]
            for _ in range(AFTER_LAPS):
                for side, kept in zip(party.sides, after, strict=True):
                    # As in a visit: what the judge itself does meanwhile is in the caches.
                    self.slots.questions.refresh(self.n)
                    kept.windows.append(side.window(0, self.n))
                    self._unchanged(party, 0, self.n)


def _shuffled(values: Iterable[T]) -> list[T]:
    found = list(values)
    _secret.shuffle(found)
    return found
