"""``akgflow verify``: the judge without a model."""

from __future__ import annotations

from pathlib import Path

import click

from akgflow import api
from akgflow.base.streams import echo
from akgflow.cli._options import echo_json, json_option, set_option, workspace_option
from akgflow.errors import ExitCode
from akgflow.terms import Status
from akgflow.verdict import Verdict


@click.command("verify")
@click.argument("candidate", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--operator",
    "operator_file",
    type=click.Path(exists=True, path_type=Path),
    help="The operator's file, or the file or folder of a problem in another format.",
)
@click.option(
    "--format", "form", type=click.Choice(list(api.FORMATS)), help="The format of --operator; else by its looks."
)
@click.option("--task", help="Take operator, cases, dtype and tolerance from this task.")
@click.option("--dsl", required=True, help="The DSL that the candidate is written in.")
@click.option("--target", required=True, help="The target to judge it for.")
@click.option("--case", "cases", multiple=True, metavar="M=1,N=2", help="A shape; may be given several times.")
@click.option("--dtype", help="Cast floating inputs and parameters, for example bfloat16.")
@click.option(
    "--framework",
    type=click.Choice(["forbid", "allow"]),
    help="Whether PyTorch's own kernels may do the operator's work. Else as the task says, or forbid.",
)
@click.option(
    "--precision",
    type=click.Choice(["framework", "strict", "tf32", "compute=bf16", "compute=fp16"]),
    help="What kernel and baselines may lose in float32: TF32 where PyTorch uses it (framework), nothing (strict), or "
    "narrower operands in every matrix product and convolution. Else as the task says, or framework.",
)
@click.option(
    "--mode",
    type=click.Choice(["eval", "train"]),
    help="Mode of the modules while they are judged: in eval, dropout does nothing. Else as the task says, or as the "
    "operator constructs itself.",
)
@click.option(
    "--backward/--no-backward",
    default=None,
    help="Judge gradients, too: of floating inputs and parameters. Else as the task says, or outputs alone.",
)
@click.option(
    "--overwrites",
    multiple=True,
    metavar="NAME",
    help="Judge gradients, too, of a kernel that may overwrite this input, or upstream gradients (upstream); may be "
    "given several times.",
)
@click.option(
    "--prepare",
    type=click.IntRange(1, 10**9),
    metavar="CALLS",
    help="Call the kernel's prepare() whenever its weights are new, and spread what it takes over so many calls. Else "
    "as the task says, or never.",
)
@click.option(
    "--baseline",
    "baselines",
    multiple=True,
    type=click.Choice(["eager", "torch.compile"]),
    help="What to compare its time with; may be given twice. Else as the task says, or eager.",
)
@click.option(
    "--shapes",
    metavar="fixed|M=1..64,…",
    help="Sizes that it must serve besides, such as m=1..8192,k=8..4096:8 (multiples of 8); fixed: none. Else as the "
    "task says, or what the judge varies by itself.",
)
@click.option(
    "--layouts",
    type=click.Choice(["any"]),
    help="any: it must take inputs that are transposed, sliced, expanded or channels last. Else as the task says.",
)
@click.option("--time/--no-time", default=True, help="Time the candidate where it is executed.")
@click.option(
    "--sanitize/--no-sanitize",
    default=False,
    help="Look for accesses out of bounds, uninitialised memory, races and missing barriers, too; what is found fails.",
)
@click.option(
    "--trace",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the verdict to this file as traces of flashinfer-trace, one a line for each workload.",
)
@workspace_option
@set_option
@json_option
@click.pass_context
def verify_command(
    ctx: click.Context,
    candidate: Path,
    operator_file: Path | None,
    form: str | None,
    task: str | None,
    dsl: str,
    target: str,
    cases: tuple[str, ...],
    dtype: str | None,
    framework: str | None,
    precision: str | None,
    mode: str | None,
    backward: bool | None,
    overwrites: tuple[str, ...],
    prepare: int | None,
    baselines: tuple[str, ...],
    shapes: str | None,
    layouts: str | None,
    time: bool,
    sanitize: bool,
    trace: Path | None,
    workspace: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Judge the kernel in the file CANDIDATE against an operator; asks no model.

    CANDIDATE is a module with ModelNew, or a solution in the operator's format.
    """
    from akgflow.reporting import Progress

    _require_one(operator_file, task)
    with Progress() as progress:
        progress.waits(target, f"judging {candidate.name}")
        verdict = api.verify(
            candidate,
            dsl=dsl,
            target=target,
            operator=operator_file,
            form=form,
            task=task,
            cases=cases,
            dtype=dtype,
            framework=framework,
            precision=precision,
            mode=mode,
            backward={"overwrites": overwrites} if overwrites else backward,
            prepare={"calls": prepare} if prepare is not None else None,
            baselines=baselines,
            shapes=shapes,
            layouts=layouts,
            time=time,
            sanitize=sanitize,
            trace=trace,
            workspace=workspace,
            overrides=overrides,
        )
    _show(verdict, as_json)
    ctx.exit(_code(verdict))


def _require_one(operator_file: Path | None, task: str | None) -> None:
    if (operator_file is None) == (task is None):
        raise click.UsageError("give either --operator FILE or --task TASK")


def _code(verdict: Verdict) -> ExitCode:
    right = verdict.passed and not any(one.findings for one in verdict.sanitized)
    return ExitCode.DONE if right else ExitCode.CONFIG if verdict.unfit else ExitCode.GATE_FAILED


def _show(verdict: Verdict, as_json: bool) -> None:
    from akgflow.reporting import console, show_verdict

    if as_json:
        echo_json("verdict", verdict)
        return
    show_verdict(verdict, console())
    if verdict.status is Status.INCORRECT_NUMERICAL:
        echo("a file that shows this without akgflow: add --json > verdict.json, then akgflow reproduce verdict.json …")
