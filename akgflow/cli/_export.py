"""``akgflow export`` and ``reproduce``: a verified kernel as a package, a wrong one as a file that shows its fault."""

from __future__ import annotations

from pathlib import Path

import click

from akgflow import api
from akgflow.base.streams import echo
from akgflow.cli._options import echo_json, json_option, set_option, workspace_option
from akgflow.errors import ExitCode


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
@click.option(
    "--single", is_flag=True, help="The best kernel alone, where the job keeps several that are for some shapes."
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
    single: bool,
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
        single=single,
        workspace=workspace,
        overrides=overrides,
    )
    if as_json:
        echo_json("export", made)
        return
    echo(f"{made.path}: import {made.package}")
    echo(f"verified: {made.summary}")
    echo(f"accepts {len(made.verified)} cases: {'; '.join(one or 'the own shapes' for one in made.verified)}")
    echo(f"needs {', '.join(made.requires)}")


@click.command("reproduce")
@click.argument("verdict")
@click.option("--candidate", help="The kernel's file; of a run, a candidate's id or STEP-ATTEMPT-SAMPLE.")
@click.option("--operator", type=click.Path(exists=True, path_type=Path), help="The operator's file, as for verify.")
@click.option("--format", "form", type=click.Choice(list(api.FORMATS)), help="The format of --operator.")
@click.option("--task", help="Take the operator from this task.")
@click.option("--dsl", help="The DSL that the kernel is written in.")
@click.option("--dtype", help="As for verify.")
@click.option("--mode", type=click.Choice(["eval", "train"]), help="As for verify.")
@click.option("--job", help="Of a run: the job, such as cpp-cpu.")
@click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write; otherwise reproduce_NAME.py in the current folder.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=1.0),
    default=60.0,
    show_default=True,
    help="How long to look for the smallest shape that fails.",
)
@workspace_option
@set_option
@json_option
@click.pass_context
def reproduce_command(
    ctx: click.Context,
    verdict: str,
    candidate: str | None,
    operator: Path | None,
    form: str | None,
    task: str | None,
    dsl: str | None,
    dtype: str | None,
    mode: str | None,
    job: str | None,
    out: Path | None,
    seconds: float,
    workspace: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write one Python file that shows a kernel's wrong values, at the smallest shape that fails.

    VERDICT is a file that ``akgflow verify --json`` printed; with it go --candidate, --operator and --dsl. Or it is a
    finished run, whose last wrong kernel is taken unless --job and --candidate choose one.
    """
    from akgflow.reporting import Progress

    with Progress() as progress:
        progress.waits(verdict, "looking for the smallest shape that fails")
        made = api.reproduce(
            verdict,
            job=job,
            candidate=candidate,
            operator=operator,
            form=form,
            task=task,
            dsl=dsl,
            dtype=dtype,
            mode=mode,
            out=out,
            seconds=seconds,
            workspace=workspace,
            overrides=overrides,
        )
    if as_json:
        echo_json("reproduction", made)
    elif made.path:
        echo(f"{made.path}: {made.shown}")
        echo(made.detail)
        echo(made.how_small)
        echo(f"python {made.path} shows it, without akgflow and without a sandbox")
    else:
        echo(made.shown)
    ctx.exit(ExitCode.DONE if made.path else ExitCode.GATE_FAILED)
