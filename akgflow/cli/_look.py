"""Commands that only look: ``validate``, ``list``, ``schema``, ``show``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from akgflow import api
from akgflow.base.streams import echo
from akgflow.cli._options import echo_json, json_option, set_option, workspace_option
from akgflow.config.types import Workspace
from akgflow.errors import ExitCode

Row = dict[str, str]


@click.command("validate")
@click.argument("tasks", nargs=-1)
@workspace_option
@set_option
@json_option
@click.pass_context
def validate_command(
    ctx: click.Context, tasks: tuple[str, ...], workspace: Path | None, overrides: tuple[str, ...], as_json: bool
) -> None:
    """Check TASKS, or the whole workspace: every problem of every file at once.

    Said is which sizes of each operator the judge varies. An operator's file (.py) is checked as well; so is a suite,
    whose problems that cannot be judged are named, and make the exit code 2.
    """
    operators = [name for name in tasks if name.endswith(".py")]
    suites = [name for name in tasks if name not in operators and api.is_suite(name, workspace=workspace)]
    named = [name for name in tasks if name not in (*operators, *suites)]
    shapes = {name: api.sizes(name) for name in operators}
    alone = operators or suites
    found = api.shapes(*named, workspace=workspace, overrides=overrides) if named or not alone else {}
    names, unfit = [*found], dict[str, str]()
    for suite in (api.load_suite(name, workspace=workspace, overrides=overrides) for name in suites):
        names.append(suite.name)
        found |= api.shapes_in(suite)
        unfit |= {one.name: one.reason for one in suite.unfit}
    shapes |= found
    if as_json:
        echo_json("valid", {"valid": names, "shapes": shapes, "unfit": unfit})
    else:
        for name, words in shapes.items():
            echo(f"{name}: {words}")
        for name, reason in unfit.items():
            echo(f"{name} cannot be judged: {reason}")
        if names or not alone:
            echo(f"valid: {', '.join(names) or 'the workspace (it has no tasks)'}")
    if unfit:
        ctx.exit(ExitCode.CONFIG)


def _targets(workspace: Workspace) -> list[Row]:
    return [
        {"name": t.name, "platform": t.platform, "arch": t.arch, "title": t.title} for t in workspace.targets.values()
    ]


def _dsls(workspace: Workspace) -> list[Row]:
    return [
        {"name": d.name, "title": d.title, **{name: ", ".join(found) for name, found in d.platforms.items()}}
        for d in workspace.dsls.values()
    ]


def _agents(workspace: Workspace) -> list[Row]:
    return [
        {
            "name": a.name,
            "model": f"{a.model} = {workspace.models[a.model].model}",
            "reply": a.reply.format,
            "description": a.description,
        }
        for a in workspace.agents.values()
    ]


def _workflows(workspace: Workspace) -> list[Row]:
    return [
        {"name": w.name, "steps": ", ".join(step.name for step in w.steps), "description": w.description}
        for w in workspace.workflows.values()
    ]


def _tasks(workspace: Workspace) -> list[Row]:
    return [{"name": name, "file": str(path)} for name, path in api.list_tasks(workspace.root).items()]


_LISTS: Mapping[str, Callable[[Workspace], list[Row]]] = {
    "targets": _targets,
    "dsls": _dsls,
    "agents": _agents,
    "workflows": _workflows,
    "tasks": _tasks,
}


@click.command("list")
@click.argument("kind", type=click.Choice(list(_LISTS)))
@workspace_option
@set_option
@json_option
def list_command(kind: str, workspace: Path | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """List what names resolve to: the workspace's own entries and the shipped ones."""
    space = api.load_workspace(workspace, overrides=overrides)
    rows = [row | _origin(space, kind, row["name"]) for row in _LISTS[kind](space)]
    if as_json:
        echo_json("listing", {"kind": kind, "rows": rows})
        return
    named = dict.fromkeys(name for row in rows for name in row)
    columns = sorted(named, key=lambda name: name == "from")
    widths = {name: max(len(name), *(len(row.get(name, "")) for row in rows)) for name in columns}
    for row in [{name: name for name in columns}, *rows]:
        echo("  ".join(row.get(name, "").ljust(widths[name]) for name in columns).rstrip())


def _origin(space: Workspace, kind: str, name: str) -> Row:
    """The file and line that an entry is from; a task's row has its file already."""
    mark = space.origins.get(kind, {}).get(name)
    return {"from": f"{mark.file}:{mark.line}"} if mark else {}


@click.command("schema")
@click.argument("name", required=False)
def schema_command(name: str | None) -> None:
    """Print the JSON Schema of a kind of file, or of a document that --json prints; without NAME, list them."""
    if name is None:
        for kind in api.KINDS:
            echo(f"{kind:<17} a file in YAML")
        for document, (_, printed_by) in api.DOCUMENTS.items():
            echo(f"{document:<17} printed with --json by {printed_by}")
    elif name in api.KINDS:
        echo(api.schema_text(name), end="")
    elif name in api.DOCUMENTS:
        echo(json.dumps(api.document_schema(name), indent=2))
    else:
        raise click.UsageError(f"no schema {name!r}: {api.suggest(name, (*api.KINDS, *api.DOCUMENTS))}")


@click.command("show")
@click.argument("run", required=False)
@workspace_option
@json_option
def show_command(run: str | None, workspace: Path | None, as_json: bool) -> None:
    """Show the table of a RUN, or how far an unfinished one came, and where its means went.

    RUN is its folder, or the folder's name; without it, the run of the workspace that was at work last.
    """
    from akgflow.reporting import console, show_run

    found = api.read_run(run, workspace=workspace)
    if as_json:
        finished = isinstance(found, api.RunResult)
        echo_json("result" if finished else "unfinished", found)
    else:
        show_run(found, console())
