"""``akgflow init`` and ``akgflow import``: a workspace to begin with, and tasks of problems that others have posed."""

from __future__ import annotations

from pathlib import Path

import click

from akgflow import api
from akgflow.base.streams import echo
from akgflow.cli._options import echo_json, json_option, workspace_option
from akgflow.errors import ExitCode


@click.command("init")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
def init_command(directory: Path) -> None:
    """Make DIRECTORY a workspace: the shipped agents, hardware and tasks with their recordings, to edit.

    SKILL.md in it tells a command-line agent how to work with akgflow.
    """
    api.init(directory)
    echo(f"{directory} is a workspace now; next: cd {directory} && akgflow run tasks/gemm_migrate.yaml")


@click.command("import")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--format", "form", type=click.Choice(list(api.FORMATS)), help="The format; else found by its looks.")
@click.option(
    "--dsl", "dsls", multiple=True, default=("triton",), show_default=True, help="May be given several times."
)
@click.option("--target", "targets", multiple=True, default=("cpu",), show_default=True, help="The same.")
@workspace_option
@json_option
@click.pass_context
def import_command(
    ctx: click.Context,
    path: Path,
    form: str | None,
    dsls: tuple[str, ...],
    targets: tuple[str, ...],
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Write a task for each problem at or below PATH: KernelBench, SOL-ExecBench, flashinfer-trace, …

    What a problem has and akgflow cannot express is said with its place; the exit code is 2 where no task was written.
    """
    found = api.import_problems(path, form=form, dsls=dsls, targets=targets, workspace=workspace)
    if as_json:
        echo_json("imported", found)
    else:
        for task in found.tasks:
            echo(str(task))
        for problem in found.refused:
            echo(f"not imported: {problem}", err=True)
        echo(f"{len(found.tasks)} of {len(found.tasks) + len(found.refused)} problems are tasks now", err=True)
    ctx.exit(ExitCode.DONE if found.tasks else ExitCode.CONFIG)
