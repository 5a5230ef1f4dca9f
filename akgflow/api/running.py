"""Runs: start them, go on with them, read what they left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from akgflow.api.boundary import public
from akgflow.api.tasks import Named, load, runs_folder, unreachable
from akgflow.api.tasks import plan as plan_of_task
from akgflow.config import Loaded, check_name
from akgflow.engine import Watch, record_replies, run_in_folder
from akgflow.errors import ConfigError, PrerequisiteError
from akgflow.planning import Plan
from akgflow.runs import RunFolder, RunResult, Unfinished, folder_for, open_run, runs_in
from akgflow.runs import read_run as read_folder
from akgflow.runs.reader import has_result, journal_of, latest_of

Notify = Callable[[str, str], None]
"""Called with a job's id, or nothing for the run itself, and one line for each event."""


@public
def run(
    task: Named,
    *,
    workspace: str | Path | None = None,
    overrides: Sequence[str] = (),
    plan: Plan | None = None,
    run_dir: str | Path | None = None,
    fresh: bool = False,
    repair: bool = False,
    record: str | Path | None = None,
    notify: Notify = lambda job, text: None,  # noqa: ARG005
    ended: Callable[[RunResult], None] = lambda result: None,  # noqa: ARG005
    watch: Watch = lambda standing: None,  # noqa: ARG005
) -> RunResult:
    """Run a task, go on with its unfinished run, or return the result of the one that is finished.

    ``plan`` is the task's plan where the caller has it. ``run_dir`` names another folder than the workspace's own for
    it. ``fresh`` starts a new run; ``repair`` keeps what is whole of a damaged one. With ``record`` every reply goes
    into that recording. ``ended`` is called with the result as soon as it is on disk, before judges are closed;
    ``watch`` with where the run stands, before its first step.

    Raises `ConfigError` for what is wrong in the files, `PrerequisiteError` where no job can be judged here,
    `UntrustedJudge`, `MachineExhausted`. A budget that is spent, or a provider that is missing, is the outcome of a
    job. After an interruption, the same call goes on where this one stopped.
    """
    folder = None if run_dir is None else Path(run_dir)
    if fresh and (repair or (folder is not None and folder.is_dir() and any(folder.iterdir()))):
        other = "--repair" if repair else f"--run-dir {folder}, which is not empty"
        raise ConfigError(f"--fresh starts a new run: it cannot go with {other}")
    loaded = load(task, workspace=workspace, overrides=overrides)
    plan = plan or plan_of_task(loaded)
    _require_runnable(plan)
    folder = folder or run_folder(loaded, plan, fresh=fresh)
    recording = None if record is None else Path(record)
    opened = open_run(folder, plan, mend=repair)
    if isinstance(opened, RunResult):
        notify("", f"{folder} is finished; this is its result, and nothing is run: --fresh starts another run")
        if recording is not None:
            with closing(journal_of(folder)) as journal:
                record_replies(loaded.task, journal, recording)
        ended(opened)
        return opened
    _require_models(unreachable(loaded), opened, notify)
    for line in opened.repaired:
        notify("", f"repaired: {line}")
    results: list[RunResult] = []

    def keep(result: RunResult) -> None:
        results.append(result)
        ended(result)

    try:
        run_in_folder(
            loaded.task, loaded.workspace, plan, opened, notify=notify, record=recording, ended=keep, watch=watch
        )
    except KeyboardInterrupt:
        if not results:  # an interruption of the closing does not take the result away
            raise
    return results[0]


def _require_runnable(plan: Plan) -> None:
    """Raise `PrerequisiteError` where no job can be judged, and this machine lacks what some of them need."""
    lacking = [job for job in plan.jobs if job.reach.gaps]
    if lacking and not plan.runnable:
        raise PrerequisiteError("\n".join(f"{job.id}: {job.impossible}" for job in lacking))


def _require_models(dead: Sequence[str], opened: RunFolder, notify: Notify) -> None:
    """Raise `PrerequisiteError` where a new run would ask a model that cannot be asked; its folder is released.

    A run that has begun may have all the replies that it needs: there it is only said.
    """
    if dead and not opened.journal.exists():
        opened.release()
        raise PrerequisiteError("\n".join(dead))
    for reason in dead:
        notify("", reason)


def run_folder(loaded: Loaded, plan: Plan, *, fresh: bool = False) -> Path:
    """The folder of the latest run of this plan in its workspace, or of a new one; makes nothing."""
    return folder_for(plan, loaded.workspace.runs, fresh=fresh)


def is_finished(folder: Path) -> bool:
    """True once the run in ``folder`` is done."""
    return has_result(folder)


@public
def read_run(run: str | Path | None = None, *, workspace: str | Path | None = None) -> RunResult | Unfinished:
    """The result of a run, or how far an unfinished one came.

    ``run`` is its folder, the folder's name in the workspace, or the task's name for its latest run; without it, the
    run that was at work last.
    Raises `ConfigError` where there is none, `DamagedRun` where what it holds cannot be read.
    """
    return read_folder(find_run(run, runs_folder(workspace)))


def find_run(run: str | Path | None, runs: Path) -> Path:
    """The folder of a run, as `read_run` takes it, in the folder ``runs``. Raises `ConfigError` where there is none."""
    if run is not None and Path(run).is_dir():
        return Path(run)
    known = runs_in(runs)
    if run is None and not known:
        raise ConfigError(f"there is no run in {runs} yet: akgflow run TASK makes one")
    if run is None:
        return next(iter(known.values()))
    return latest_of(str(run), known) or known[check_name("run", str(run), known)]
