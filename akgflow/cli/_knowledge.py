"""``akgflow knowledge``: the store of verified kernels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from akgflow import api
from akgflow.base.streams import echo
from akgflow.cli._options import echo_json, json_option, set_option, workspace_option
from akgflow.errors import ExitCode


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

    store = api.open_store(workspace, overrides=overrides)
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

    entry = api.open_store(workspace, overrides=overrides).get(entry_id)
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
    if path.is_dir():
        if operator_file or dsl or target or cases or dtype:
            raise click.UsageError("a run's folder says itself what was judged: give no option with it")
        found = api.add_run(path, workspace=workspace, overrides=overrides)
    else:
        if operator_file is None or dsl is None or target is None:
            raise click.UsageError("a candidate is judged first: give --operator FILE, --dsl and --target")
        found = api.add_candidate(
            path,
            operator=operator_file,
            dsl=dsl,
            target=target,
            cases=cases,
            dtype=dtype,
            time=time,
            workspace=workspace,
            overrides=overrides,
        )
    _report(found, as_json)
    ctx.exit(ExitCode.DONE if (found.added or found.known) and not found.refused else ExitCode.GATE_FAILED)


@knowledge_command.command("forget")
@click.argument("entry_ids", metavar="ID…", nargs=-1, required=True)
@workspace_option
@set_option
@json_option
def forget_command(
    entry_ids: tuple[str, ...], workspace: Path | None, overrides: tuple[str, ...], as_json: bool
) -> None:
    """Remove the entries whose ids start with ID."""
    gone = api.forget_entries(entry_ids, workspace=workspace, overrides=overrides)
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
    entries = api.export_entries(file, dsl=dsl, target=target, workspace=workspace, overrides=overrides)
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
    found = api.import_entries(file, judge=judge, time=time, workspace=workspace, overrides=overrides)
    _report(found, as_json)
    ctx.exit(ExitCode.GATE_FAILED if found.refused else ExitCode.DONE)


def _outline(entry: api.Entry) -> dict[str, Any]:
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
        "device": entry.verdict.timing[0].device if speed else None,
        "kinds": entry.features.kinds,
        "lessons": len(entry.lessons),
        "akgflow": entry.akgflow,
        "added": entry.added,
    }


def _report(found: api.Added, as_json: bool) -> None:
    if as_json:
        names = {"added": found.added, "known": found.known}
        echo_json({**{name: [one.id for one in those] for name, those in names.items()}, "refused": found.refused})
        return
    for entry in found.added:
        echo(f"{'added' if entry.trust == 'judged' else 'imported'}: {entry.id} ({entry.task}, {entry.claim})")
    for entry in found.known:
        echo(f"already there with a verdict at least as good: {entry.id} ({entry.task})")
    for name, reason in found.refused.items():
        echo(f"not added: {name}: {reason}")
    if not (found.added or found.known or found.refused):
        echo("nothing to add: no kernel was verified there")
