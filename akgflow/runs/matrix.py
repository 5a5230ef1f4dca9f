"""The portability matrix: DSL x target x shape x dtype, each with what is known of it, or why nothing is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from akgflow.config.types import Scalar, Task
from akgflow.errors import ConfigError, ExitCode
from akgflow.planning import Plan
from akgflow.runs.damage import DamagedRun
from akgflow.runs.reader import best_candidate, best_verdict, plan_of, result_of, runs_in
from akgflow.speed import overall
from akgflow.terms import Evidence, Status
from akgflow.verdict import CaseResult, KernelResources, Overall, Timing, Verdict

OWN = "own"
"""The dtype of a task that leaves it to the operator."""


@dataclass(frozen=True)
class Shape:
    """One shape of a cell. ``passed`` of ``checks`` input sets were right; ``error`` and ``bound`` are the worst one's.

    ``reason`` says why there is no check: the candidate failed before, or its numbers were not checked.
    """

    case: Mapping[str, Scalar]
    status: Status | None = None
    checks: int = 0
    passed: int = 0
    error: float = 0.0
    bound: float = 0.0
    timing: tuple[Timing, ...] = ()
    reason: str = ""
    untimed: str = ""
    """Why it has no time where other shapes have one."""


@dataclass(frozen=True)
class Cell:
    """One DSL on one target in one dtype.

    ``reason`` says why the cell is empty; one with a verdict has ``status`` and ``message`` instead. ``beyond`` gives,
    for each evidence that the DSL offers there and that was not obtained, the reason. ``possible`` is False where the
    plan knew that there could be nothing.
    """

    dsl: str
    target: str
    dtype: str
    reason: str = ""
    possible: bool = True
    status: Status | None = None
    message: str = ""
    evidence: tuple[Evidence, ...] = ()
    hardware: str = ""
    resources: tuple[KernelResources, ...] = ()
    beyond: Mapping[str, str] | None = None
    overall: tuple[Overall, ...] = ()
    """The speedup over each baseline for all shapes together."""
    shapes: tuple[Shape, ...] = ()


@dataclass(frozen=True)
class Matrix:
    """All cells of a task, by DSL and then by target. ``source`` is the run that they come from, or ``judged now``."""

    task: str
    source: str
    cells: tuple[Cell, ...]

    @property
    def exit_code(self) -> ExitCode:
        """Done when every cell that can hold something holds a right kernel."""
        good = all(cell.status is Status.PASSED for cell in self.cells if cell.possible)
        return ExitCode.DONE if good else ExitCode.GATE_FAILED


def of_run(task: Task, folder: Path) -> Matrix:
    """The best kernels of a run, finished or not, as they were judged there. Raises `ConfigError` for other folders."""
    plan = plan_of(folder)
    if plan is None or plan.task != task.name:
        raise ConfigError(f"{folder} is no run of {task.name}")
    # JSON has sorted the names in a case; the task has them as they were written.
    return of_plan(plan, folder, task.cases if task.cases == plan.cases else plan.cases)


def of_plan(plan: Plan, folder: Path, cases: Sequence[Mapping[str, Scalar]]) -> Matrix:
    """The same where the plan in ``folder`` is known; ``cases`` are its own, with their names in the order to show."""
    ended = result_of(folder)
    reasons = {job.job: job.reason for job in ended.jobs} if ended else {}
    cells = []
    for job in plan.jobs:
        verdict = best_verdict(folder, job.id)
        empty = Cell(job.dsl, job.target, plan.dtype or OWN)
        if job.impossible:
            cells.append(replace(empty, reason=job.impossible, possible=False))
        elif verdict is None:
            cells.append(replace(empty, reason=reasons.get(job.id) or "no kernel yet: the run is unfinished"))
        else:
            cells.append(filled(empty, verdict, cases))
    return Matrix(plan.task, str(folder), tuple(cells))


def latest_run(task: Task, runs: Path) -> Path:
    """The latest run of ``task``; raises `ConfigError` where there is none."""
    damaged = []
    for name, folder in runs_in(runs).items():
        try:
            plan = plan_of(folder)
        except DamagedRun:
            damaged.append(name)
            continue
        if plan is not None and plan.task == task.name:
            return folder
    others = f" (what {', '.join(damaged)} ran cannot be read)" if damaged else ""
    raise ConfigError(
        f"there is no run of {task.name} in {runs}{others}: akgflow run it first, or name kernels with "
        "--candidate DSL=FILE"
    )


def best_of_run(folder: Path) -> dict[tuple[str, str], str]:
    """The text of the best candidate for each (DSL, target) of a run."""
    plan = plan_of(folder)
    found = {(job.dsl, job.target): best_candidate(folder, job.id) for job in plan.jobs} if plan else {}
    return {key: text for key, text in found.items() if text is not None}


def filled(empty: Cell, verdict: Verdict, cases: Sequence[Mapping[str, Scalar]]) -> Cell:
    results = verdict.correctness.cases if verdict.correctness else ()
    shapes = list(cases) or list({json.dumps(dict(one.case)): one.case for one in results}.values()) or [{}]
    return replace(
        empty,
        status=verdict.status,
        message=verdict.message,
        evidence=verdict.evidence,
        hardware=verdict.environment.hardware,
        resources=verdict.resources,
        beyond=verdict.absent,
        overall=overall(verdict.timing, verdict.untimed),
        shapes=tuple(_shape(case, [one for one in results if one.case == case], verdict) for case in shapes),
    )


def _shape(case: Mapping[str, Scalar], results: Sequence[CaseResult], verdict: Verdict) -> Shape:
    if not results:
        reason = "its numbers were not looked at" if verdict.passed else f"not reached: {verdict.message}"
        return Shape(case, reason=reason)
    wrong = next((one for one in results if one.status is not Status.PASSED), None)
    worst = wrong or max(results, key=lambda one: one.error / one.bound if one.bound else 0.0)
    return Shape(
        case,
        status=worst.status,
        checks=len(results),
        passed=sum(one.status is Status.PASSED for one in results),
        error=worst.error,
        bound=worst.bound,
        timing=tuple(timing for timing in verdict.timing if timing.case == case),
        reason=worst.detail if wrong else "",
        untimed=next((one.reason for one in verdict.untimed if one.case == case), ""),
    )
