"""The cells of a suite or a run as they are scored: right or not, at which attempt, and how fast."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from akgflow.budget.ledger import Spent
from akgflow.config import Unfit
from akgflow.errors import ConfigError
from akgflow.planning import Job
from akgflow.runs.reader import best_candidate, best_verdict, plan_of, result_of, taken_in
from akgflow.runs.result import Attempt, JobResult, Outcome, RunResult
from akgflow.speed import Speed, speeds_of
from akgflow.suites.folder import Listed, SuiteFolder
from akgflow.terms import Evidence, Status
from akgflow.verdict import Verdict


class State(StrEnum):
    """What is known of a cell."""

    RIGHT = "right"
    WRONG = "wrong"
    """No right kernel came of it."""
    NOT_RUN = "not_run"
    """Nothing can be said about kernels, for a reason that is not theirs: it counts nowhere."""


@dataclass(frozen=True)
class Cell:
    """One problem in one DSL on one target."""

    problem: str
    dsl: str
    target: str
    state: State
    reason: str = ""
    """Why it is not right, was not run, or was not timed."""
    attempts: tuple[Attempt, ...] = ()
    """In the order in which they were made."""
    timeable: bool = False
    """Whether kernels are executed on the target itself and timed there."""
    speeds: Mapping[str, Speed] = field(default_factory=dict)
    """Of a right kernel by baseline, for all its cases: `akgflow.speed.overall`."""
    device: str = ""
    """On which it was timed."""
    source: str = ""
    """The best candidate."""

    @property
    def name(self) -> str:
        """``softmax/cpp-cpu``; a problem that is no task has its own name."""
        return f"{self.problem}/{self.dsl}-{self.target}" if self.dsl else self.problem

    def right_by(self, attempts: int) -> bool:
        """True where one of the first ``attempts`` was right."""
        return any(one.status == Status.PASSED for one in self.attempts[:attempts])


@dataclass(frozen=True)
class Problem:
    """A problem with its cells and what they took together."""

    listed: Listed
    cells: tuple[Cell, ...]
    spent: Spent = field(default_factory=Spent)
    seconds: float = 0.0
    """Of its sessions, from the first step to the last."""
    finished: bool = False
    """False where a later session has something to do, or a first one."""


@dataclass(frozen=True)
class Scored:
    """What is scored or compared: a suite's folder or a run's."""

    name: str
    folder: str
    problems: tuple[Problem, ...]

    @property
    def cells(self) -> Iterator[Cell]:
        """Of all problems."""
        return (cell for problem in self.problems for cell in problem.cells)

    @property
    def right(self) -> int:
        """Cells with a right kernel."""
        return sum(cell.state is State.RIGHT for cell in self.cells)

    @property
    def spent(self) -> Spent:
        """By all problems."""
        return sum((problem.spent for problem in self.problems), Spent())

    @property
    def seconds(self) -> float:
        """Of all runs one after the other."""
        return sum(problem.seconds for problem in self.problems)


def read_scored(folder: Path) -> Scored:
    """What a folder of a suite or of a run holds; raises `ConfigError` for other folders, `DamagedRun`."""
    suite = SuiteFolder(folder)
    record = suite.record
    if record is None:
        plan = plan_of(folder)
        if plan is None:
            raise ConfigError(f"{folder} holds neither a suite nor a run: name a folder that akgflow bench or run made")
        return Scored(plan.task, str(folder), (_problem(Listed(plan.task), folder, None, timed=True),))
    timed = bool(record.baselines)
    every = (_problem(one, suite.run(one.name), suite.end_of(one.name), timed=timed) for one in record.problems)
    return Scored(record.suite, str(folder), (*every, *map(_unfit, record.unfit)))


def _unfit(one: Unfit) -> Problem:
    """A problem that is no task: one cell, of which nothing is known."""
    return Problem(Listed(one.name, one.level), (Cell(one.name, "", "", State.NOT_RUN, one.reason),))


def _problem(listed: Listed, folder: Path, end: RunResult | None, *, timed: bool) -> Problem:
    plan = plan_of(folder)
    result = result_of(folder) or end
    if plan is None:
        return Problem(listed, ())
    ends = {job.job: job for job in result.jobs} if result else {}
    cells = tuple(_cell(listed.name, folder, job, ends.get(job.id), timed) for job in plan.jobs)
    spent, seconds = taken_in(folder)
    return Problem(listed, cells, spent, seconds, finished=result is not None and result.finished)


def _cell(problem: str, folder: Path, job: Job, end: JobResult | None, timed: bool) -> Cell:
    timeable = timed and Evidence.EXECUTED in job.reach.evidence
    state, reason = _state(job, end, best_verdict(folder, job.id) if end is None else end.verdict)
    verdict = end.verdict if end else None
    right = state is State.RIGHT and verdict is not None
    if right and verdict and timeable and not verdict.timing:
        reason = f"not timed: {verdict.absent.get('timing', 'nobody says why')}"
    return Cell(
        problem=problem,
        dsl=job.dsl,
        target=job.target,
        state=state,
        reason=reason,
        attempts=end.attempts if end else (),
        timeable=timeable,
        speeds=speeds_of(verdict) if right and verdict else {},
        device=verdict.timing[0].device if right and verdict and verdict.timing else "",
        source=(best_candidate(folder, job.id) or "") if end and end.best else "",
    )


def _state(job: Job, end: JobResult | None, verdict: Verdict | None) -> tuple[State, str]:
    if job.impossible:
        return State.NOT_RUN, job.impossible
    if end is None:
        return State.NOT_RUN, "it is unfinished"
    if end.outcome in (Outcome.IMPOSSIBLE, Outcome.NO_PROVIDER):
        return State.NOT_RUN, end.reason
    if verdict is None:
        return State.WRONG, end.reason
    if verdict.status is Status.NOT_RUN:
        return State.NOT_RUN, verdict.message
    if not verdict.passed:
        return State.WRONG, f"{verdict.status}: {verdict.message}"
    if not {Evidence.EXECUTED, Evidence.INTERPRETED} & set(verdict.evidence):
        return State.NOT_RUN, "it was compiled, and nobody has seen its numbers"
    return State.RIGHT, ""
