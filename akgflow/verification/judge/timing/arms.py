"""The processes that are timed side by side, and what each of them showed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from akgflow.verification.judge.failures import CandidateFailed, Disturbed
from akgflow.verification.judge.timing.processes import Start
from akgflow.verification.judge.timing.readback import Held
from akgflow.verification.judge.timing.window import Side, Slots, Window


class Kept:
    """All that was measured in one process: windows of one size, and questions asked alone, warm and cold."""

    def __init__(self) -> None:
        self.windows: list[Window] = []
        self.alone: list[float] = []
        self.cold: list[float] = []

    @property
    def seconds(self) -> list[float]:
        """Of the windows."""
        return [one.seconds for one in self.windows]


class Party:
    """The processes of one kind and what they showed."""

    def __init__(self, name: str, start: Start) -> None:
        self.name, self.start = name, start
        self.trials = [start.begin() for _ in range(start.number)]
        self.sides: list[Side] = []
        self.kept = [Kept() for _ in self.trials]

    def attach(self, slots: Slots, copies: bool) -> None:
        """Give all processes the memory of the questions."""
        self.detach()
        held = slots.held()
        self.sides = [Side(trial, slots, held, copies) for trial in self.trials]

    def detach(self) -> None:
        """Let go of the processes' memory."""
        for side in self.sides:
            side.close()
        self.sides = []

    @property
    def held(self) -> Held:
        """Where the judge keeps the last answers of any of the processes."""
        return self.sides[0].held

    def answer_into(self, held: Held) -> None:
        """Let the judge keep them there."""
        for side in self.sides:
            side.held = held

    def close(self) -> None:
        """End the processes."""
        self.detach()
        for trial in self.trials:
            trial.close()


def make_ready(parties: Iterable[Party]) -> Mapping[str, CandidateFailed]:
    """Have all processes load and build side by side, and stop them; the failures by party."""
    failed: dict[str, CandidateFailed] = {}
    with ThreadPoolExecutor(max_workers=8) as pool:
        waiting = [(party, pool.submit(party.start.ready, trial)) for party in parties for trial in party.trials]
        for party, one in waiting:
            try:
                one.result()
            except Disturbed:
                raise
            except CandidateFailed as failure:
                failed.setdefault(party.name, failure)
    for party in parties:
        for trial in party.trials if party.name not in failed else ():
            trial.process.pause()
    return failed
