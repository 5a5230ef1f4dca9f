"""``akgflow export``: a verified kernel as a package."""

from __future__ import annotations

from pathlib import Path

import click

from akgflow import api
from akgflow.base.streams import echo
from akgflow.cli._options import echo_json, json_option, set_option, workspace_option


@click.command("export")
@click.argument("run")
@click.option("--job", help="The job whose kernel is exported, such as cpp-cpu; needed where several have one.")
@click.option(
    "--to",
    type=click.Choice(["wheel", "hf-kernel", "folder"]),
    default="wheel",
    show_default=True,
    help="A wheel, a project for Hugging Face's kernel hub, or a project's folder.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="The folder to write it into; otherwise the current one.",
)
@click.option("--name", help="The package's name; otherwise one of task and job.")
@click.option("--license", metavar="SPDX", help="The licence of kernel and operator, such as MIT.")
@click.option(
    "--fallback",
    type=click.Choice(["none", "reference"]),
    default="none",
    show_default=True,
    help="What is done with calls that were not verified: they are refused, or the operator computes them.",
)
@workspace_option
@set_option
@json_option
def export_command(
    run: str,
    job: str | None,
    to: str,
    out: Path,
    name: str | None,
    license: str | None,
    fallback: str,
    workspace: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write the best kernel of a job of RUN as a package that runs without akgflow.

    RUN is a run's folder, or the folder's name.
    """
    made = api.export_kernel(
        run,
        job,
        to=to,
        out=out,
        name=name,
        license=license,
        fallback=fallback == "reference",
        workspace=workspace,
        overrides=overrides,
    )
    if as_json:
        echo_json(made)
        return
    echo(f"{made.path}: import {made.package}")
    echo(f"verified: {made.summary}")
    echo(f"accepts {len(made.verified)} cases: {'; '.join(one or 'the own shapes' for one in made.verified)}")
    echo(f"needs {', '.join(made.requires)}")
