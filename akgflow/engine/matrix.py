"""The portability matrix: DSL x target x shape x dtype, each with what is known of it, or why nothing is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import cattrs

from akgflow.config.types import Scalar, Task, Workspace
from akgflow.engine.folder import RESULT
from akgflow.engine.result import RunResult
from akgflow.errors import ConfigError, ExitCode
from akgflow.executors.base import Executor
from akgflow.executors.reach import Places
from akgflow.planning import Plan, reach, why_nothing
from akgflow.serial import from_data
from akgflow.terms import Evidence, Status
from akgflow.verdict import CaseResult, JudgeRequest, KernelResources, Timing, Verdict

T = TypeVar("T")
OWN = "own"
"""The dtype of a task that leaves it to the operator."""


@dataclass(frozen=True)
class Shape:
    """One shape of a cell. ``passed`` of ``checks`` input sets were right; ``error`` and ``bound`` are the worst one's.

    ``reason`` says why there is no check: the candidate failed before, or its numbers were not looked at.
    """

    case: Mapping[str, Scalar]
    status: Status | None = None
    checks: int = 0
    passed: int = 0
    error: float = 0.0
    bound: float = 0.0
    timing: tuple[Timing, ...] = ()
    reason: str = ""


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
    plan = _plan(folder)
    if plan is None or plan.task != task.name:
        raise ConfigError(f"{folder} is no run of {task.name}")
    # JSON has sorted the names in a case; the task has them as they were written.
    cases = task.cases if task.cases == plan.cases else plan.cases
    ended = _result(folder)
    reasons = {job.job: job.reason for job in ended.jobs} if ended else {}
    cells = []
    for job in plan.jobs:
        verdict = _read(folder / "best" / job.id / "verdict.json", Verdict)
        empty = Cell(job.dsl, job.target, plan.dtype or OWN)
        if job.impossible:
            cells.append(replace(empty, reason=job.impossible, possible=False))
        elif verdict is None:
            cells.append(replace(empty, reason=reasons.get(job.id) or "no kernel yet: the run is unfinished"))
        else:
            cells.append(_filled(empty, verdict, cases))
    return Matrix(task.name, str(folder), tuple(cells))


def latest_run(task: Task, runs: Path) -> Path:
    """The run of ``task`` that was at work last; raises `ConfigError` where there is none."""
    mine = [path.parent for path in runs.glob("*/plan.json") if (plan := _plan(path.parent)) and plan.task == task.name]
    if not mine:
        raise ConfigError(
            f"there is no run of {task.name} in {runs}: akgflow run it first, or name kernels with --candidate DSL=FILE"
        )
    return max(mine, key=lambda folder: (folder / "journal.jsonl").stat().st_mtime)


def best_of_run(folder: Path) -> dict[tuple[str, str], str]:
    """The text of the best candidate for each (DSL, target) of a run."""
    plan = _plan(folder)
    found = {}
    for job in plan.jobs if plan else ():
        path = folder / "best" / job.id / "candidate.py"
        if path.exists():
            found[job.dsl, job.target] = path.read_text(encoding="utf-8")
    return found


@dataclass(frozen=True)
class Wanted:
    """What is to be judged: the kernels by (DSL, target), and the axes. An empty ``dtypes`` is the task's own."""

    kernels: Mapping[tuple[str, str], str]
    dsls: Sequence[str]
    targets: Sequence[str]
    dtypes: Sequence[str | None]
    time: bool = True


@dataclass(frozen=True)
class Judging:
    """Judges what is wanted, side by side as far as the executor has room."""

    task: Task
    space: Workspace
    places: Places
    executor: Executor
    wanted: Wanted

    async def matrix(self) -> Matrix:
        """All cells."""
        wanted = self.wanted
        keys = [(dsl, target, dtype) for dsl in wanted.dsls for target in wanted.targets for dtype in wanted.dtypes]
        cells = await asyncio.gather(*(self._cell(*key) for key in keys))
        return Matrix(self.task.name, "judged now", tuple(cells))

    async def _cell(self, dsl: str, to: str, dtype: str | None) -> Cell:
        pack, target = self.space.dsls[dsl], self.space.targets[to]
        found = reach(pack, target, self.places.missing, self.places.at)
        empty = Cell(dsl, to, dtype or OWN)
        nothing = why_nothing(pack, target, found)
        if nothing:
            return replace(empty, reason=nothing, possible=False)
        source = self.wanted.kernels.get((dsl, to))
        if source is None:
            return replace(empty, reason="there is no kernel for it")
        task = self.task
        request = JudgeRequest(
            candidate=source,
            operator_file=str(task.operator.file),
            operator=task.operator.source,
            toolchain=pack.toolchain,
            target=target if found.at else replace(target, reach=None),
            evidence=found.evidence,
            cases=task.cases,
            dtype=dtype,
            tolerance=task.tolerance,
            framework=task.framework,
            profile=task.profile,
            baselines=task.baselines,
            time=self.wanted.time,
        )
        verdict = await self.executor.judge(request)
        gaps = {str(evidence): reason for evidence, reason in found.gaps.items()}
        return _filled(empty, replace(verdict, absent={**gaps, **verdict.absent}), task.cases)


def _filled(empty: Cell, verdict: Verdict, cases: Sequence[Mapping[str, Scalar]]) -> Cell:
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
    )


def _plan(folder: Path) -> Plan | None:
    return _read(folder / "plan.json", Plan)


def _result(folder: Path) -> RunResult | None:
    return _read(folder / RESULT, RunResult)


def _read(path: Path, kind: type[T]) -> T | None:
    """A value that a run has written; None where it has not, or where another akgflow wrote it in another form."""
    try:
        return from_data(json.loads(path.read_text(encoding="utf-8")), kind)
    except (OSError, ValueError, cattrs.BaseValidationError):
        return None
