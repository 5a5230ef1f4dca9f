"""``akgflow plan`` and ``akgflow run``."""

from __future__ import annotations

from pathlib import Path

import click

from akgflow.cli._options import echo_json, json_option, set_option, workspace_option
from akgflow.config import load


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
@click.option("--fresh", is_flag=True, help="Start a new run even if an unfinished one could go on.")
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
) -> None:
    """Run TASK: a file, or the name of a task. The same command on an unfinished run goes on where it stopped."""
    from akgflow.engine import run_in_folder
    from akgflow.planning.here import plan_here
    from akgflow.reporting import Progress, console, show_plan, show_result
    from akgflow.runs import claim, open_folder

    loaded = load(task, root=workspace, overrides=overrides)
    plan = plan_here(loaded)
    if not as_json:
        show_plan(plan, console())
    folder = claim(run_dir, plan) if run_dir else open_folder(plan, loaded.workspace.root / "runs", fresh=fresh)
    with Progress() as notify:
        result = run_in_folder(loaded.task, loaded.workspace, plan, folder, notify=notify, record=record)
    if as_json:
        echo_json(result)
    else:
        show_result(result, console())
    ctx.exit(result.exit_code)
