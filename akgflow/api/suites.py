"""Suites: many problems with one budget, their score, and what changed between two of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from akgflow import config
from akgflow.api.boundary import public
from akgflow.api.running import Notify
from akgflow.api.tasks import plan as plan_of_task
from akgflow.api.tasks import runs_folder, unreachable_of
from akgflow.base.atomic import write_json, write_text
from akgflow.config import Loaded, Suite
from akgflow.config.types import Task
from akgflow.errors import ConfigError, PrerequisiteError
from akgflow.planning import Plan, shapes_of
from akgflow.runs import runs_in
from akgflow.runs.reader import latest_of
from akgflow.suites import (
    Comparison,
    Score,
    SuiteFolder,
    SuitePlan,
    SuiteResult,
    SuiteStanding,
    is_suite_folder,
    read_scored,
    run_suite,
    suite_folder,
    suites_in,
    trace_lines,
)
from akgflow.suites import compare as compare_scored
from akgflow.suites import plan_suite as plan_of_suite
from akgflow.suites import score as score_of


@public
def load_suite(named: str | Path, *, workspace: str | Path | None = None, overrides: Sequence[str] = ()) -> Suite:
    """The suite of that name or path, its problems as tasks; `Suite.unfit` are those that cannot be judged.

    Raises `ConfigError` with all that is wrong with the suite, or with its problems where none of them can be judged.
    """
    return config.load_suite(named, root=None if workspace is None else Path(workspace), overrides=overrides)


@public
def plan_suite(suite: Suite) -> SuitePlan:
    """What running the suite on this machine would do, at most and probably for how much. Runs and spends nothing."""

    def plan(task: Task) -> Plan:
        return plan_of_task(Loaded(suite.workspace, task))

    return plan_of_suite(suite, plan, suite.workspace.runs)


@public
def shapes_in(suite: Suite) -> dict[str, str]:
    """What the judge varies of each problem's shapes beside those that it states, in one line; nothing is run."""
    return {one.task.name: shapes_of(one.task) for one in suite.members}


@public
def unreachable_in(suite: Suite) -> tuple[str, ...]:
    """Why models of the suite cannot be asked, as `unreachable` says it of a task."""
    # Each of its tasks has a recording of its own, or none.
    return unreachable_of(Loaded(suite.workspace, suite.members[0].task), None)


@public
def bench(
    suite: Suite,
    *,
    plan: SuitePlan | None = None,
    run_dir: str | Path | None = None,
    fresh: bool = False,
    repair: bool = False,
    notify: Notify = lambda problem, text: None,  # noqa: ARG005
    told: Callable[[str, SuiteStanding], None] = lambda problem, standing: None,  # noqa: ARG005
) -> SuiteResult:
    """Run a suite, or go on with its unfinished runs; its score and trace lie in its folder afterwards.

    ``plan`` is the suite's plan where the caller has it. ``run_dir`` names another folder than the workspace's own for
    it. ``fresh`` starts again from nothing; ``repair`` keeps what is whole of damaged runs. ``told`` is called with
    each problem that ends and how far the suite is.

    Raises `ConfigError`, `PrerequisiteError` where no problem can be judged here or no model can be asked,
    `UntrustedJudge`, `MachineExhausted`. After an interruption, the same call goes on where this one stopped.
    """
    plan = plan or plan_suite(suite)
    folder = _folder(suite, plan, run_dir, fresh=fresh)
    _require_runnable(plan)
    _require_models(suite, folder)
    result = run_suite(suite, plan, folder, notify=notify, told=told, mend=repair)
    scored = read_scored(folder.path)
    write_json(folder.score, score_of(scored))
    write_text(folder.trace, "".join(f"{line}\n" for line in trace_lines(scored)))
    return result


def _folder(suite: Suite, plan: SuitePlan, run_dir: str | Path | None, *, fresh: bool) -> SuiteFolder:
    if run_dir is None:
        return suite_folder(plan.suite, plan.identity, suite.workspace.runs, fresh=fresh)
    folder = Path(run_dir)
    if fresh and folder.is_dir() and any(folder.iterdir()):
        raise ConfigError(f"--fresh starts from nothing: it cannot go with --run-dir {folder}, which is not empty")
    return SuiteFolder(folder)


def _require_runnable(plan: SuitePlan) -> None:
    lacking = [f"{one.task}: {job.id}: {job.impossible}" for one in plan.plans for job in one.jobs if job.impossible]
    if not any(one.runnable for one in plan.plans):
        raise PrerequisiteError("\n".join(lacking))


def _require_models(suite: Suite, folder: SuiteFolder) -> None:
    """Raise where a new suite would ask a model that cannot be asked; one that has begun may have its replies."""
    dead = unreachable_in(suite)
    if dead and not is_suite_folder(folder.path):
        raise PrerequisiteError("\n".join(dead))


@public
def score(of: str | Path | None = None, *, workspace: str | Path | None = None) -> Score:
    """The score of a suite's folder or a run's, or of the suite that was at work last; nothing is run."""
    return score_of(read_scored(find_suite_or_run(of, runs_folder(workspace))))


@public
def trace(of: str | Path | None = None, *, workspace: str | Path | None = None) -> list[str]:
    """Every attempt of a suite's folder or a run's, a JSON document each, and a document for each cell's best."""
    return list(trace_lines(read_scored(find_suite_or_run(of, runs_folder(workspace)))))


@public
def compare(before: str | Path, after: str | Path, *, workspace: str | Path | None = None) -> Comparison:
    """What changed between two suites or runs: folders, their names in the workspace, or names of suites."""
    find = partial(find_suite_or_run, runs=runs_folder(workspace))
    return compare_scored(read_scored(find(before)), read_scored(find(after)))


def find_suite_or_run(named: str | Path | None, runs: Path) -> Path:
    """The folder of a suite or a run in ``runs``, where no name is given of the last suite."""
    if named is not None and Path(named).is_dir():
        return Path(named)
    suites = suites_in(runs)
    if named is None and not suites:
        raise ConfigError(f"there is no suite in {runs} yet: akgflow bench SUITE makes one")
    known = runs_in(runs) | suites
    if named is None:
        return next(iter(suites.values()))
    return latest_of(str(named), known) or known[config.check_name("suite or run", str(named), known)]
