"""``akgflow bench``, ``score``, ``compare`` and ``recheck``: suites of problems, and what became of their kernels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from akgflow import api
from akgflow.base.streams import echo
from akgflow.cli._options import echo_json, json_option, progress_options, set_option, task_options, workspace_option

if TYPE_CHECKING:
    from akgflow.reporting import Detail

_fail_on_option = click.option(
    "--fail-on",
    type=click.Choice(["worse", "wrong", "never"]),
    default="worse",
    show_default=True,
    help="What makes the exit code 1: a kernel that became slower or wrong, only one that became wrong, or nothing.",
)


@click.command("bench")
@click.argument("suite")
@workspace_option
@task_options
@set_option
@json_option
@progress_options("Print the score alone.", "Print what happens within the problems, too.")
@click.option("--run-dir", type=click.Path(file_okay=False, path_type=Path), help="The suite's folder.")
@click.option("--fresh", is_flag=True, help="Start from nothing, whatever came of earlier ones.")
@click.option("--repair", is_flag=True, help="Keep what is whole of damaged runs, and go on with them.")
@click.pass_context
def bench_command(
    ctx: click.Context,
    suite: str,
    workspace: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
    detail: Detail,
    live: bool,
    run_dir: Path | None,
    fresh: bool,
    repair: bool,
) -> None:
    """Run SUITE, a file or the name of a suite, and score it.

    The same command on an unfinished suite goes on where it stopped; on a finished one it shows the score again.
    """
    from akgflow.reporting import Detail, Progress, console, show_score, suite_progress

    loaded = api.load_suite(suite, workspace=workspace, overrides=overrides)
    with Progress(detail, live=live) as shown:

        def notify(problem: str, text: str) -> None:
            # Many problems say much: a line is printed for the suite itself, and for each problem that ends.
            (shown if detail is Detail.VERBOSE or not problem else shown.waits)(problem, text)

        def told(problem: str, standing: api.SuiteStanding) -> None:
            shown(problem, f"{standing.outcome(problem)} · {suite_progress(standing)}")
            shown.ended(problem)

        result = api.bench(loaded, run_dir=run_dir, fresh=fresh, repair=repair, notify=notify, told=told)
    found = api.score(result.folder)
    if as_json:
        echo_json("score", found)
    else:
        show_score(found, console())
    ctx.exit(result.exit_code)


@click.command("score")
@click.argument("folder", required=False)
@workspace_option
@json_option
@click.option("--trace", is_flag=True, help="Print every judged attempt instead, a line of JSON each.")
def score_command(folder: str | None, workspace: Path | None, as_json: bool, trace: bool) -> None:
    """Score what is there: FOLDER of a suite or a run, or its name, or the suite that was begun last. Runs nothing."""
    from akgflow.reporting import console, show_score

    if trace:
        for line in api.trace(folder, workspace=workspace):
            echo(line)
        return
    found = api.score(folder, workspace=workspace)
    if as_json:
        echo_json("score", found)
    else:
        show_score(found, console())


@click.command("compare")
@click.argument("before")
@click.argument("after")
@workspace_option
@json_option
@_fail_on_option
@click.option("--diff/--no-diff", default=True, help="Show how the sources of changed kernels differ.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write the comparison as a page, too.")
@click.pass_context
def compare_command(
    ctx: click.Context,
    before: str,
    after: str,
    workspace: Path | None,
    as_json: bool,
    fail_on: str,
    diff: bool,
    html: Path | None,
) -> None:
    """Say what changed from BEFORE to AFTER: two suites or two runs, by their folders or the folders' names.

    A kernel is better or worse only where the intervals of the two speedups do not meet.
    """
    from akgflow.reporting import console, show_comparison

    found = api.compare(before, after, workspace=workspace)
    if as_json:
        echo_json("comparison", found)
    else:
        show_comparison(found, console(), diffs=diff)
    if html is not None:
        echo(f"wrote {api.report_comparison(found, html)}", err=True)
    ctx.exit(found.exit_code(api.FailOn(fail_on)))


@click.command("recheck")
@click.argument("what", metavar="RUN|STORE|FOLDER")
@click.option("--target", help="Judge for this target of the workspace; else for that of each verdict.")
@click.option("--time/--no-time", default=True, help="Time again what was timed.")
@workspace_option
@set_option
@json_option
@_fail_on_option
@click.pass_context
def recheck_command(
    ctx: click.Context,
    what: str,
    target: str | None,
    time: bool,
    workspace: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
    fail_on: str,
) -> None:
    """Judge kernels that passed again, on what is here: still right, still as fast, and what changed underneath.

    They are the winners of a run or a suite (folder or name), the entries of a knowledge store (its file, or
    "knowledge" for the workspace's), or exported packages (a folder that holds some).

    A kernel that cannot be judged here is not compared; where none can be, the exit code is 4.
    """
    from akgflow.reporting import Progress, console, show_recheck

    with Progress() as progress:
        found = api.recheck(
            what, target=target, time=time, notify=progress.waits, workspace=workspace, overrides=overrides
        )
    if as_json:
        echo_json("recheck", found)
    else:
        show_recheck(found, console())
    ctx.exit(found.exit_code(api.FailOn(fail_on)))
