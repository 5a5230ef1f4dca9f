"""``akgflow matrix``: what is known of a task's kernels on every target."""

from __future__ import annotations

from pathlib import Path

import click

from akgflow import api
from akgflow.cli._options import echo_json, json_option, set_option, workspace_option


@click.command("matrix")
@click.argument("task")
@click.option(
    "--run", "run", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Else the latest run."
)
@click.option("--judge", is_flag=True, help="Judge the run's best kernels again, on this machine.")
@click.option("--candidate", "candidates", multiple=True, metavar="DSL=FILE", help="Judge these kernels instead.")
@click.option("--target", "targets", multiple=True, help="Judge for these targets; else the task's.")
@click.option("--dtype", "dtypes", multiple=True, help="Judge in these dtypes; else the task's.")
@click.option("--time/--no-time", default=True, help="Time what is judged where it is executed.")
@workspace_option
@set_option
@json_option
@click.pass_context
def matrix_command(
    ctx: click.Context,
    task: str,
    run: Path | None,
    judge: bool,
    candidates: tuple[str, ...],
    targets: tuple[str, ...],
    dtypes: tuple[str, ...],
    time: bool,
    workspace: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show DSL x target x shape x dtype for the best kernels of TASK's latest run, or for kernels that you name.

    Exits 0 when every cell that can hold a kernel holds a right one.
    """
    from akgflow.reporting import console, show_matrix

    matrix = api.matrix(
        task,
        run=run,
        judge=judge,
        candidates=dict(map(_candidate, candidates)),
        targets=targets,
        dtypes=dtypes,
        time=time,
        workspace=workspace,
        overrides=overrides,
    )
    if as_json:
        echo_json("matrix", matrix)
    else:
        show_matrix(matrix, console())
    ctx.exit(matrix.exit_code)


def _candidate(text: str) -> tuple[str, str]:
    dsl, equals, name = text.partition("=")
    if not equals:
        raise click.UsageError("a candidate is DSL=FILE, for example --candidate triton=kernel.py")
    return dsl, name
