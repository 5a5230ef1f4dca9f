"""``akgflow verify``: the judge without a model."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click

from akgflow.cli._options import echo_json, json_option, set_option, workspace_option
from akgflow.config import check_operator, find_root, load, load_workspace, parse_case, suggest
from akgflow.config.types import Operator, Scalar, Workspace
from akgflow.errors import ConfigError, ExitCode
from akgflow.features import FeatureRequest, OperatorFeatures
from akgflow.machine import Machine, detect
from akgflow.planning import reach
from akgflow.verdict import JudgeRequest, Verdict


@click.command("verify")
@click.argument("candidate", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--operator", "operator_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
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
    "--baseline",
    "baselines",
    multiple=True,
    type=click.Choice(["eager", "torch.compile"]),
    help="What to compare its time with; may be given twice. Else as the task says, or eager.",
)
@click.option("--time/--no-time", default=True, help="Time the candidate where it is executed.")
@workspace_option
@set_option
@json_option
@click.pass_context
def verify_command(
    ctx: click.Context,
    candidate: Path,
    operator_file: Path | None,
    task: str | None,
    dsl: str,
    target: str,
    cases: tuple[str, ...],
    dtype: str | None,
    framework: str | None,
    baselines: tuple[str, ...],
    time: bool,
    workspace: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Judge the kernel in the file CANDIDATE (a module with ModelNew) against an operator; asks no model."""
    from akgflow.reporting import console, show_verdict

    if (operator_file is None) == (task is None):
        raise click.UsageError("give either --operator FILE or --task TASK")
    given: tuple[Mapping[str, Scalar], ...] = tuple(parse_case(text) for text in cases)
    if task is not None:
        loaded = load(task, root=workspace, overrides=overrides)
        space, operator, tolerance = loaded.workspace, loaded.task.operator, loaded.task.tolerance
        given, dtype = given or loaded.task.cases, dtype or loaded.task.dtype
        framework, baselines = framework or loaded.task.framework, baselines or loaded.task.baselines
    else:
        assert operator_file is not None, "one of the two was given"
        space = load_workspace(workspace or find_root(), overrides=overrides)
        operator, tolerance = check_operator(operator_file, given), 1.0
    machine = detect()
    request = request_for(space, operator, candidate.read_text(encoding="utf-8"), dsl, target, machine)
    asked = replace(
        request,
        cases=given,
        dtype=dtype,
        tolerance=tolerance,
        time=time,
        framework=framework or "forbid",
        baselines=tuple(dict.fromkeys(baselines)) or ("eager",),
    )
    verdict = _judge(asked, machine)
    if as_json:
        echo_json(verdict)
    else:
        show_verdict(verdict, console())
    ctx.exit(ExitCode.DONE if verdict.passed else ExitCode.GATE_FAILED)


def request_for(
    space: Workspace, operator: Operator, candidate: str, dsl: str, target: str, machine: Machine
) -> JudgeRequest:
    """What can be asked of the judge on this machine; raises `ConfigError` where nothing can."""
    from akgflow.executors.reach import Places

    for kind, name, known in (("DSL", dsl, space.dsls), ("target", target, space.targets)):
        if name not in known:
            raise ConfigError(f"there is no {kind} {name!r}: {suggest(name, known)}")
    pack, where = space.dsls[dsl], space.targets[target]
    places = Places(machine, space)
    found = reach(pack, where, places.missing, places.at)
    if not found.evidence:
        why = "; ".join(f"{evidence}: {reason}" for evidence, reason in found.gaps.items())
        offered = f"it runs on {', '.join(sorted(pack.platforms))}"
        raise ConfigError(f"{dsl} cannot be judged for {target} (platform {where.platform}): {why or offered}")
    judged_as = where if found.at else replace(where, reach=None)
    return JudgeRequest(candidate, str(operator.file), operator.source, pack.toolchain, judged_as, found.evidence)


def judged(
    asked: Sequence[tuple[JudgeRequest, FeatureRequest]], machine: Machine
) -> list[tuple[Verdict, OperatorFeatures]]:
    """One judge's verdicts about candidates, and what it says about their operators."""
    from akgflow.executors.local import LocalExecutor

    async def answers(scratch: Path) -> list[tuple[Verdict, OperatorFeatures]]:
        executor = LocalExecutor(machine, scratch)
        try:
            return [(await executor.judge(one), await executor.features(about)) for one, about in asked]
        finally:
            await executor.close()

    with tempfile.TemporaryDirectory(prefix="akgflow-") as scratch:
        return asyncio.run(answers(Path(scratch)))


def _judge(request: JudgeRequest, machine: Machine) -> Verdict:
    from akgflow.executors.everywhere import Everywhere

    async def judged(scratch: Path) -> Verdict:
        executor = Everywhere(machine, scratch)
        try:
            return await executor.judge(request)
        finally:
            await executor.close()

    with tempfile.TemporaryDirectory(prefix="akgflow-") as scratch:
        return asyncio.run(judged(Path(scratch)))
