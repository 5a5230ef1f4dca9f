"""How the processes that are timed are started: the candidate's own, and those of trusted baselines."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import NamedTuple

from akgflow.operators.shapes.dimensions import pinned
from akgflow.terms import Evidence
from akgflow.verdict import JudgeRequest
from akgflow.verification.judge.candidate_process import ForkServerClient
from akgflow.verification.judge.evaluation import Trial
from akgflow.verification.judge.timing.sizes import MOST_PROCESSES
from akgflow.verification.reference.reference import Reference
from akgflow.verification.reference.special.variants import forward_alone

CANDIDATE = "candidate"
EAGER, COMPILED = "eager", "torch.compile"
FEW_PROCESSES = 2
"""Processes of a baseline that takes seconds to start."""
COMPILE_SECONDS = 120.0


class Start(NamedTuple):
    """How the processes of one arm are started. ``begin`` is quick and called in turn; ``ready`` may take long."""

    begin: Callable[[], Trial]
    ready: Callable[[Trial], None]
    number: int = MOST_PROCESSES
    trusted: bool = False
    """Whether it runs the operator itself, and no kernel of anybody's."""


class Starts:
    """The arms that a request's timing needs, for one case. ``scratch`` is the candidate's own folder."""

    compile_seconds = COMPILE_SECONDS
    """For `torch.compile` to build a baseline; what takes longer is left out with the reason."""

    def __init__(
        self, server: ForkServerClient, request: JudgeRequest, scratch: Path, threads: int, reference: Reference
    ) -> None:
        self.server, self.request, self.scratch, self.threads = server, request, scratch, threads
        self.reference = reference
        self.rivals: Mapping[str, str] = {}
        """Texts of kernels that are timed like baselines, by name."""

    def forward_alone(self) -> Starts:
        """The same for calls of forward alone, where gradients are asked for."""
        found = copy(self)
        found.reference = forward_alone(self.reference)
        return found

    def candidate(self, module: str, name: str = CANDIDATE, number: int = MOST_PROCESSES) -> dict[str, Start]:
        """Processes that load ``module`` through the toolchain; the candidate's, in the folder with its builds."""
        folder = self.scratch if name == CANDIDATE else self.folder_of(name)

        def ready(trial: Trial) -> None:
            trial.open()
            trial.load(module)
            trial.build(self.reference)

        folder.mkdir(exist_ok=True)
        return {name: Start(lambda: self._trial(folder), ready, number)}

    def folder_of(self, rival: str) -> Path:
        """Where a rival's processes work."""
        return self.scratch.parent / rival

    def baselines(self) -> dict[str, Start]:
        """Processes that load the operator itself, for each baseline of the request; then those of the rivals."""
        found = {name: self._baseline(name) for name in self.request.baselines}
        for place, (name, text) in enumerate(self.rivals.items()):
            # The first one is what the candidate must be as fast as.
            found |= self.candidate(text, name, FEW_PROCESSES if place else MOST_PROCESSES)
        return found

    def _baseline(self, name: str) -> Start:
        numbers = itertools.count()

        def begin() -> Trial:
            # One for each process: two that generate code at once miss files that the other one has just moved.
            folder = self.scratch.parent / f"baseline-{name}-{next(numbers)}"
            folder.mkdir(exist_ok=True)
            # The operator may read the files beside it; a candidate may not.
            return self._trial(folder, [str(Path(self.request.operator_file).resolve().parent)])

        def ready(trial: Trial) -> None:
            trial.start_baseline(self.reference, pinned(self.request.operator, self.reference.case.globals))
            trial.build(self.reference, baseline=True)
            if name == COMPILED:
                trial.optimize(self.reference, self.compile_seconds)

        return Start(begin, ready, FEW_PROCESSES if name == COMPILED else MOST_PROCESSES, trusted=True)

    def _trial(self, folder: Path, reads: Sequence[str] = ()) -> Trial:
        return Trial(self.server, self.request, Evidence.EXECUTED, folder, self.threads, reads)
