"""``akgflow knowledge``: the store of verified kernels."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from akgflow import __version__
from akgflow.base.streams import echo
from akgflow.base.text import lines
from akgflow.cli._options import echo_json, json_option, set_option, workspace_option
from akgflow.config import check_dtype, check_operator, find_root, load_workspace, parse_cases, read_text
from akgflow.config.types import Operator, Scalar, Workspace
from akgflow.errors import ConfigError, ExitCode, PrerequisiteError
from akgflow.knowledge import Entry, Store, default_path, from_lines, to_lines, why_not
from akgflow.machine import Machine, detect
from akgflow.verdict import FeatureRequest, JudgeRequest, OperatorFeatures, Verdict

MAX_IMPORT_BYTES = 1 << 30
_Space = tuple[Workspace, Store]


def _space(workspace: Path | None, overrides: tuple[str, ...]) -> _Space:
    space = load_workspace(workspace or find_root(), overrides=overrides)
    return space, Store(space.knowledge.store or default_path())


@click.group("knowledge")
def knowledge_command() -> None:
    """The store of kernels that the judge found right: prompts take examples from it, runs put theirs into it."""


@knowledge_command.command("list")
@click.option("--dsl", help="Only kernels in this DSL.")
@click.option("--target", help="Only kernels for this target.")
@click.option("--task", help="Only kernels of this task.")
@workspace_option
@set_option
@json_option
def list_command(
    dsl: str | None,
    target: str | None,
    task: str | None,
    workspace: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """List entries, the newest first."""
    from akgflow.reporting import console, show_entries

    _, store = _space(workspace, overrides)
    entries = store.entries(dsl=dsl, target=target, task=task)
    if as_json:
        echo_json([_outline(entry) for entry in entries])
    else:
        show_entries(entries, str(store.path), console())


@knowledge_command.command("show")
@click.argument("entry_id", metavar="ID")
@workspace_option
@set_option
@json_option
def show_command(entry_id: str, workspace: Path | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """Show the entry whose id starts with ID."""
    from akgflow.reporting import console, show_entry

    entry = _space(workspace, overrides)[1].get(entry_id)
    if as_json:
        echo_json({"id": entry.id, "digest": entry.digest, "entry": entry})
    else:
        show_entry(entry, console())


@knowledge_command.command("add")
@click.argument("path", metavar="RUN|CANDIDATE", type=click.Path(exists=True, path_type=Path))
@click.option("--operator", "operator_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dsl", help="The DSL that the candidate is written in.")
@click.option("--target", help="The target to judge it for.")
@click.option("--case", "cases", multiple=True, metavar="M=1,N=2", help="A shape; may be given several times.")
@click.option("--dtype", help="Cast floating inputs and parameters, for example bfloat16.")
@click.option("--time/--no-time", default=True, help="Time the candidate where it is executed.")
@workspace_option
@set_option
@json_option
@click.pass_context
def add_command(
    ctx: click.Context,
    path: Path,
    operator_file: Path | None,
    dsl: str | None,
    target: str | None,
    cases: tuple[str, ...],
    dtype: str | None,
    time: bool,
    workspace: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Add the verified kernels of the folder RUN, or judge the file CANDIDATE and add it if it is right."""
    space, store = _space(workspace, overrides)
    refused: dict[str, str] = {}
    if path.is_dir():
        if operator_file or dsl or target or cases or dtype:
            raise click.UsageError("a run's folder says itself what was judged: give no option with it")
        entries = _of_run(path)
    else:
        if operator_file is None or dsl is None or target is None:
            raise click.UsageError("a candidate is judged first: give --operator FILE, --dsl and --target")
        given = parse_cases(cases)
        dtype = check_dtype(dtype) if dtype is not None else None
        operator = check_operator(operator_file, given)
        entries, refused = _of_candidate(space, path, operator, dsl, target, given, dtype, time)
    added = [entry for entry in entries if store.add(entry)]
    _report(added, [entry for entry in entries if entry not in added], refused, as_json)
    ctx.exit(ExitCode.DONE if entries and not refused else ExitCode.GATE_FAILED)


@knowledge_command.command("forget")
@click.argument("entry_ids", metavar="ID…", nargs=-1, required=True)
@workspace_option
@set_option
@json_option
def forget_command(
    entry_ids: tuple[str, ...], workspace: Path | None, overrides: tuple[str, ...], as_json: bool
) -> None:
    """Remove the entries whose ids start with ID."""
    store = _space(workspace, overrides)[1]
    whole = [store.get(one).id for one in entry_ids]
    gone = [store.forget(one) for one in dict.fromkeys(whole)]
    if as_json:
        echo_json([_outline(entry) for entry in gone])
    else:
        for entry in gone:
            echo(f"forgotten: {entry.id} ({entry.task}, {entry.dsl}, {entry.target})")


@knowledge_command.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--dsl", help="Only kernels in this DSL.")
@click.option("--target", help="Only kernels for this target.")
@workspace_option
@set_option
@json_option
def export_command(
    file: Path, dsl: str | None, target: str | None, workspace: Path | None, overrides: tuple[str, ...], as_json: bool
) -> None:
    """Write the judged entries to FILE, one line of JSON each."""
    from akgflow.base.atomic import write_text

    entries = _space(workspace, overrides)[1].entries(dsl=dsl, target=target, trust="judged")
    write_text(file, "".join(f"{line}\n" for line in to_lines(entries)))
    if as_json:
        echo_json({"file": str(file), "exported": [entry.id for entry in entries]})
    else:
        echo(f"exported: {len(entries)} entries to {file}")


@knowledge_command.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--judge", is_flag=True, help="Judge each kernel here; those that are right count as verified.")
@click.option("--time/--no-time", default=True, help="With --judge: time each where it is executed.")
@workspace_option
@set_option
@json_option
@click.pass_context
def import_command(
    ctx: click.Context,
    file: Path,
    judge: bool,
    time: bool,
    workspace: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Take in the entries of FILE, as others' claims: they serve for nothing until they are judged (--judge).

    Judging runs the references in FILE as it runs those of your own tasks: judge what you have looked at.
    """
    space, store = _space(workspace, overrides)
    entries = from_lines(lines(read_text(file, "the file", MAX_IMPORT_BYTES)), str(file))
    refused: dict[str, str] = {}
    if judge:
        entries, refused = _judged_again(space, entries, time)
    added = [entry for entry in entries if store.add(entry)]
    _report(added, [entry for entry in entries if entry not in added], refused, as_json)
    ctx.exit(ExitCode.GATE_FAILED if refused else ExitCode.DONE)


def _of_run(folder: Path) -> list[Entry]:
    from akgflow.runs.harvest import NOT_ASKED, harvest

    entries = harvest(folder)
    if entries and entries[0].features == NOT_ASKED:
        one = entries[0]
        features = _features(FeatureRequest(str(folder / "operator.py"), one.operator, one.cases, one.dtype))
        entries = [replace(entry, features=features) for entry in entries]
    return entries


def _of_candidate(
    space: Workspace,
    path: Path,
    operator: Operator,
    dsl: str,
    target: str,
    cases: tuple[Mapping[str, Scalar], ...],
    dtype: str | None,
    time: bool,
) -> tuple[list[Entry], dict[str, str]]:
    """The candidate's entry, or why the judge does not let it in."""
    from akgflow.planning.here import request_for

    machine = detect()
    source = read_text(path, "the candidate")
    request = replace(request_for(space, operator, source, dsl, target, machine), cases=cases, dtype=dtype)
    asked = FeatureRequest(str(operator.file), operator.source, cases, dtype)
    ((verdict, features),) = _judged([(replace(request, time=time), asked)], machine)
    if reason := why_not(verdict):
        return [], {str(path): reason}
    where = space.targets[target]
    entry = Entry(
        task=operator.file.stem,
        operator=operator.source,
        dsl=dsl,
        target=target,
        platform=where.platform,
        arch=where.arch,
        source=source,
        verdict=verdict,
        features=features,
        cases=cases,
        dtype=dtype,
        akgflow=__version__,
        added=verdict.timestamp,
    )
    return [entry], {}


def _judged_again(space: Workspace, entries: Sequence[Entry], time: bool) -> tuple[list[Entry], dict[str, str]]:
    """Entries with a verdict and features of this machine; why the others are left out, by id."""
    from akgflow.planning.here import request_for

    machine = detect()
    refused: dict[str, str] = {}
    asked: dict[str, tuple[JudgeRequest, FeatureRequest]] = {}
    for entry in entries:
        operator = Operator(Path(f"{entry.task}.py"), entry.operator)
        try:
            request = request_for(space, operator, entry.source, entry.dsl, entry.target, machine)
        except (ConfigError, PrerequisiteError) as error:
            refused[entry.id] = str(error)
            continue
        about = FeatureRequest(str(operator.file), entry.operator, entry.cases, entry.dtype)
        asked[entry.id] = replace(request, cases=entry.cases, dtype=entry.dtype, time=time), about
    answers = dict(zip(asked, _judged(list(asked.values()), machine), strict=True))
    refused |= {name: reason for name, (verdict, _) in answers.items() if (reason := why_not(verdict))}
    return [_with(entry, *answers[entry.id]) for entry in entries if entry.id not in refused], refused


def _with(entry: Entry, verdict: Verdict, features: OperatorFeatures) -> Entry:
    new = replace(entry, verdict=verdict, features=features, added=verdict.timestamp)
    return replace(new, trust="judged", akgflow=__version__)


def _judged(
    asked: Sequence[tuple[JudgeRequest, FeatureRequest]], machine: Machine
) -> list[tuple[Verdict, OperatorFeatures]]:
    """One judge's verdicts about candidates, and what it says about their operators."""
    from akgflow.executors.once import temporary_executor

    async def answers() -> list[tuple[Verdict, OperatorFeatures]]:
        async with temporary_executor(machine) as executor:
            return [(await executor.judge(one), await executor.features(about)) for one, about in asked]

    return asyncio.run(answers())


def _features(request: FeatureRequest) -> OperatorFeatures:
    from akgflow.executors.once import temporary_executor

    async def answer() -> OperatorFeatures:
        async with temporary_executor(detect()) as executor:
            return await executor.features(request)

    return asyncio.run(answer())


def _outline(entry: Entry) -> dict[str, Any]:
    """What a list says about an entry: everything but the texts."""
    speed = entry.speed
    return {
        "id": entry.id,
        "task": entry.task,
        "dsl": entry.dsl,
        "target": entry.target,
        "trust": entry.trust,
        "evidence": entry.verdict.evidence,
        "speedup": speed.speedup if speed else None,
        "interval": speed.interval if speed else None,
        "baseline": speed.baseline if speed else None,
        "device": speed.device if speed else None,
        "kinds": entry.features.kinds,
        "lessons": len(entry.lessons),
        "akgflow": entry.akgflow,
        "added": entry.added,
    }


def _report(added: Sequence[Entry], known: Sequence[Entry], refused: Mapping[str, str], as_json: bool) -> None:
    if as_json:
        names = {"added": added, "known": known}
        echo_json({**{name: [one.id for one in found] for name, found in names.items()}, "refused": refused})
        return
    for entry in added:
        echo(f"{'added' if entry.trust == 'judged' else 'imported'}: {entry.id} ({entry.task}, {entry.claim})")
    for entry in known:
        echo(f"already there with a verdict at least as good: {entry.id} ({entry.task})")
    for name, reason in refused.items():
        echo(f"not added: {name}: {reason}")
    if not added and not known and not refused:
        echo("nothing to add: no kernel was verified there")
