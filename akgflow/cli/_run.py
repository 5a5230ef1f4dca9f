"""``akgflow plan`` and ``akgflow run``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from akgflow.base.streams import echo
from akgflow.cli._options import echo_json, json_option, set_option, workspace_option
from akgflow.config import Loaded, load

if TYPE_CHECKING:
    from akgflow.planning import Plan
    from akgflow.runs import RunFolder, RunResult


@click.command("plan")
@click.argument("task")
@workspace_option
@set_option
@json_option
def plan_command(task: str, workspace: Path | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """Show what running TASK would do, from where, and at most for how much. Runs and spends nothing."""
    from akgflow.planning import digest
    from akgflow.planning.here import plan_here
    from akgflow.reporting import console, show_plan

    plan = plan_here(load(task, root=workspace, overrides=overrides))
    if as_json:
        echo_json({"digest": digest(plan), "plan": plan})
    else:
        show_plan(plan, console())


@click.command("run")
@click.argument("task")
@workspace_option
@set_option
@json_option
@click.option("--record", type=click.Path(dir_okay=False, path_type=Path), help="Write the replies to a recording.")
@click.option("--run-dir", type=click.Path(file_okay=False, path_type=Path), help="The run's folder.")
@click.option("--fresh", is_flag=True, help="Start a new run, whatever came of earlier ones.")
@click.option("--repair", is_flag=True, help="Keep what is whole of a damaged run, and go on with it.")
@click.pass_context
def run_command(
    ctx: click.Context,
    task: str,
    workspace: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
    record: Path | None,
    run_dir: Path | None,
    fresh: bool,
    repair: bool,
) -> None:
    """Run TASK: a file, or the name of a task.

    The same command on an unfinished run goes on where it stopped; on a finished one it shows the result again.
    """
    from akgflow.planning.here import plan_here, require_runnable
    from akgflow.reporting import console, show_plan
    from akgflow.runs import RunResult, folder_for, open_run

    if fresh and (repair or (run_dir is not None and run_dir.is_dir() and any(run_dir.iterdir()))):
        other = "--repair" if repair else f"--run-dir {run_dir}, which is not empty"
        raise click.UsageError(f"--fresh starts a new run: it cannot go with {other}")
    loaded = load(task, root=workspace, overrides=overrides)
    plan = plan_here(loaded)
    if not as_json:
        show_plan(plan, console())
    require_runnable(plan)
    path = run_dir or folder_for(plan, loaded.workspace.root / "runs", fresh=fresh)
    opened = open_run(path, plan, mend=repair)
    if isinstance(opened, RunResult):
        result = _shown_again(opened, path, loaded, record, as_json)
    else:
        result = _run(loaded, plan, opened, record, as_json)
    ctx.exit(result.exit_code)


def _run(loaded: Loaded, plan: Plan, folder: RunFolder, record: Path | None, as_json: bool) -> RunResult:
    """Run it, and show the result before anything is closed: an interrupt while closing comes after it."""
    from akgflow.engine import run_in_folder
    from akgflow.reporting import Progress

    for line in folder.repaired:
        echo(f"repaired: {line}", err=True)
    ended: list[RunResult] = []
    with Progress() as progress:

        def show(result: RunResult) -> None:
            progress.stop()
            _show(result, as_json)
            ended.append(result)

        try:
            run_in_folder(loaded.task, loaded.workspace, plan, folder, notify=progress, record=record, ended=show)
        except KeyboardInterrupt:
            if not ended:
                raise
    return ended[0]


def _shown_again(result: RunResult, path: Path, loaded: Loaded, record: Path | None, as_json: bool) -> RunResult:
    from akgflow.engine import record_replies
    from akgflow.runs.journal import Journal
    from akgflow.runs.layout import JOURNAL

    echo(f"{path} is finished; this is its result, and nothing is run: --fresh starts another run", err=True)
    if record is not None:
        record_replies(loaded.task, Journal(path / JOURNAL, mend=False), record)
    _show(result, as_json)
    return result


def _show(result: RunResult, as_json: bool) -> None:
    from akgflow.reporting import console, show_result

    if as_json:
        echo_json(result)
    else:
        show_result(result, console())
