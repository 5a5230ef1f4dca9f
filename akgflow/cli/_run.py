"""``akgflow plan`` and ``akgflow run``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from akgflow import api
from akgflow.base.streams import echo
from akgflow.cli._options import echo_json, json_option, progress_options, set_option, task_options, workspace_option

if TYPE_CHECKING:
    from akgflow.reporting import Detail


@click.command("plan")
@click.argument("task")
@workspace_option
@task_options
@set_option
@json_option
def plan_command(task: str, workspace: Path | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """Show what running TASK, or a suite, would do, from where, and at most for how much. Runs and spends nothing."""
    from akgflow.reporting import console, show_plan

    if api.is_suite(task, workspace=workspace):
        _plan_suite(task, workspace, overrides, as_json)
        return
    loaded = api.load(task, workspace=workspace, overrides=overrides)
    plan = api.plan(loaded)
    dead, likely = api.unreachable(loaded), api.likely(loaded, plan)
    if as_json:
        echo_json("plan", {"digest": api.digest(plan), "plan": plan, "likely": likely, "unreachable": dead})
        return
    show_plan(plan, console(), probably=likely)
    _say_missing(dead)


def _plan_suite(name: str, workspace: Path | None, overrides: tuple[str, ...], as_json: bool) -> None:
    from akgflow.reporting import console, show_suite_plan

    suite = api.load_suite(name, workspace=workspace, overrides=overrides)
    plan, dead = api.plan_suite(suite), api.unreachable_in(suite)
    if as_json:
        echo_json("suite_plan", {"digest": plan.identity, "plan": plan, "unreachable": dead})
        return
    show_suite_plan(plan, console())
    _say_missing(dead)


def _say_missing(dead: tuple[str, ...]) -> None:
    for reason in dead:
        echo(f"missing    {reason}")


@click.command("run")
@click.argument("task")
@workspace_option
@task_options
@set_option
@json_option
@progress_options("Print the result alone.", "Print all lines of what happens.")
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
    detail: Detail,
    live: bool,
    record: Path | None,
    run_dir: Path | None,
    fresh: bool,
    repair: bool,
) -> None:
    """Run TASK: a file, or the name of a task.

    The same command on an unfinished run goes on where it stopped; on a finished one it shows the result again.
    """
    from akgflow.reporting import Detail, Progress, console, show_plan, show_result

    loaded = api.load(task, workspace=workspace, overrides=overrides)
    plan = api.plan(loaded)
    if not as_json and detail is not Detail.QUIET:
        show_plan(plan, console())
    with Progress(detail, live=live) as shown:

        def show(result: api.RunResult) -> None:
            shown.stop()
            if as_json:
                echo_json("result", result)
            else:
                show_result(result, console())

        result = api.run(
            loaded,
            plan=plan,
            run_dir=run_dir,
            fresh=fresh,
            repair=repair,
            record=record,
            notify=shown,
            ended=show,
            watch=shown.watch,
        )
    ctx.exit(result.exit_code)
