"""The arms of a timing (the candidate, each baseline): their processes, and the samples of each process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from akgflow.verification.judge.failures import CandidateFailed, Disturbed
from akgflow.verification.judge.timing.processes import Start
from akgflow.verification.judge.timing.windows.readback import AnswerBuffer
from akgflow.verification.judge.timing.windows.window import Slots, State, TimedWorker, Window


class Samples:
    """What was measured in one process, in seconds: windows of one size, and questions asked alone."""

    def __init__(self) -> None:
        self.windows: list[Window] = []
        self.singly: dict[State, list[float]] = {state: [] for state in State}

    @property
    def seconds(self) -> list[float]:
        """Of the windows."""
        return [one.seconds for one in self.windows]


class Arm:
    """All processes of the candidate or of one baseline, and their samples."""

    def __init__(self, name: str, start: Start, number: int) -> None:
        self.name, self.start = name, start
        self.trials = [start.begin() for _ in range(number)]
        self.workers: list[TimedWorker] = []
        self.samples = [Samples() for _ in self.trials]

    def attach(self, slots: Slots, copies: bool) -> None:
        """Give all processes the memory of the questions."""
        self.detach()
        buffer = slots.answer_buffer()
        self.workers = [TimedWorker(trial, slots, buffer, copies) for trial in self.trials]

    def detach(self) -> None:
        """Let go of the processes' memory."""
        for worker in self.workers:
            worker.close()
        self.workers = []

    @property
    def answer_buffer(self) -> AnswerBuffer:
        """Where the judge puts the answers of the process that is asked."""
        return self.workers[0].buffer

    def answer_into(self, buffer: AnswerBuffer) -> None:
        """Let the judge put the answers of all processes there."""
        for worker in self.workers:
            worker.buffer = buffer

    def close(self) -> None:
        """End the processes."""
        self.detach()
        for trial in self.trials:
            trial.close()


def make_ready(arms: Iterable[Arm]) -> Mapping[str, CandidateFailed]:
    """Have all processes load and build at the same time, and stop them; the failures by arm."""
    failed: dict[str, CandidateFailed] = {}
    with ThreadPoolExecutor(max_workers=8) as pool:
        waiting = [(arm, pool.submit(arm.start.ready, trial)) for arm in arms for trial in arm.trials]
        for arm, one in waiting:
            try:
                one.result()
            except Disturbed:
                raise
            except CandidateFailed as failure:
                failed.setdefault(arm.name, failure)
    for arm in arms:
        for trial in arm.trials if arm.name not in failed else ():
            trial.process.pause()
    return failed
