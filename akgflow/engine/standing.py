"""Where a run stands at the moment: what each job does, the best candidate, what was spent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from akgflow.budget.ledger import Ledger, Spent
from akgflow.planning import Plan
from akgflow.search.quality import speed_of
from akgflow.speed import Speed
from akgflow.verdict import Verdict


class Stage(StrEnum):
    """What a job does."""

    WORKING = "working"
    ASKING = "waiting for a model"
    JUDGING = "waiting for a verdict"
    AT_WORK = "an agent at work"
    DONE = "done"


@dataclass
class Standing:
    """The engine keeps it up to date; those who display it may read it at any time, from any thread."""

    stages: dict[str, Stage]
    """By job, those that can be judged."""
    ledger: Ledger
    best: tuple[str, Speed] | None = None
    """The fastest candidate that passed, of all jobs: its job and speed."""
    right: set[str] = field(default_factory=set)
    """Jobs that have a candidate that passed."""

    @classmethod
    def of(cls, plan: Plan, ledger: Ledger) -> Standing:
        """That of a plan before its first step."""
        return cls({job.id: Stage.WORKING for job in plan.runnable}, ledger)

    @property
    def spent(self) -> Spent:
        """Calls, tokens and money, of earlier sessions too."""
        return self.ledger.spent

    @property
    def judging(self) -> int:
        """Judgements that hold a place on a device; others wait for one."""
        return self.ledger.device.running

    def enters(self, job: str, stage: Stage) -> None:
        """Note what a job does now; a name that is no job's is passed over."""
        if job in self.stages:
            self.stages[job] = stage

    def judged(self, job: str, verdict: Verdict) -> None:
        """Note a candidate's verdict."""
        self.enters(job, Stage.WORKING)
        if verdict.passed:
            self.right.add(job)
        speed = speed_of(verdict)
        if speed is not None and (self.best is None or speed.ratio > self.best[1].ratio):
            self.best = job, speed


Watch = Callable[[Standing], None]
"""Receives a run's standing once, when its first step is about to begin."""
