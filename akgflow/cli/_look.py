"""Commands that only look: ``validate``, ``list``, ``schema``, ``show``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import click

from akgflow.cli._options import echo_json, json_option, set_option, workspace_option
from akgflow.config import (
    KINDS,
    find_root,
    list_tasks,
    load_all,
    load_tasks,
    load_workspace,
    schema_text,
    suggest,
    workspace_of,
)
from akgflow.config.types import Workspace
from akgflow.errors import ConfigError

Row = dict[str, str]


@click.command("validate")
@click.argument("tasks", nargs=-1)
@workspace_option
@set_option
@json_option
def validate_command(tasks: tuple[str, ...], workspace: Path | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """Check TASKS, or the whole workspace: every problem of every file at once."""
    if tasks:
        names = _checked(tasks, workspace, overrides)
    else:
        names = [task.name for task in load_all(workspace or find_root(), overrides=overrides)[1]]
    if as_json:
        echo_json({"valid": names})
    else:
        click.echo(f"valid: {', '.join(names) or 'the workspace (it has no tasks)'}")


def _checked(tasks: tuple[str, ...], workspace: Path | None, overrides: tuple[str, ...]) -> list[str]:
    """Names of the tasks; the problems of all of them are raised together."""
    by_root: dict[Path, list[str]] = {}
    for task in tasks:
        by_root.setdefault(workspace or workspace_of(task), []).append(task)
    names: list[str] = []
    failed: list[ConfigError] = []
    for root, group in by_root.items():
        try:
            names += [task.name for task in load_tasks(group, root=root, overrides=overrides)[1]]
        except ConfigError as wrong:
            failed.append(wrong)
    if failed:
        found = [problem for wrong in failed for problem in wrong.problems]
        raise ConfigError(found, more=sum(wrong.more for wrong in failed), before_anything=True)
    return names


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
    return [{"name": name, "file": str(path)} for name, path in list_tasks(workspace.root).items()]


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
    rows = _LISTS[kind](load_workspace(workspace or find_root(), overrides=overrides))
    if as_json:
        echo_json(rows)
        return
    columns = list(dict.fromkeys(name for row in rows for name in row))
    widths = {name: max(len(name), *(len(row.get(name, "")) for row in rows)) for name in columns}
    for row in [{name: name for name in columns}, *rows]:
        click.echo("  ".join(row.get(name, "").ljust(widths[name]) for name in columns).rstrip())


@click.command("schema")
@click.argument("kind", type=click.Choice(KINDS))
def schema_command(kind: str) -> None:
    """Print the JSON Schema of KIND, for editors and other tools."""
    click.echo(schema_text(kind), nl=False)


@click.command("show")
@click.argument("run", required=False)
@workspace_option
@json_option
def show_command(run: str | None, workspace: Path | None, as_json: bool) -> None:
    """Show the table of a RUN, or how far an unfinished one came, and where its means went.

    RUN is its folder, or the folder's name; without it, the run of the workspace that was begun last.
    """
    from akgflow.reporting import console, read_run, show_run

    found = read_run(_folder(run, (workspace or find_root()) / "runs"))
    if as_json:
        echo_json(found)
    else:
        show_run(found, console())


def _folder(run: str | None, runs: Path) -> Path:
    """The folder that ``run`` names; raises `ConfigError` with the names that are there."""
    if run is not None and Path(run).is_dir():
        return Path(run)
    # A run that stopped before it did anything has a plan and no journal.
    known = {found.parent.name: found.with_name("plan.json").stat().st_mtime for found in runs.glob("*/journal.jsonl")}
    if run is None and known:
        return runs / max(known, key=lambda name: known[name])
    if run in known:
        return runs / run
    if run is None:
        raise ConfigError(f"there is no run in {runs} yet: akgflow run TASK makes one")
    raise ConfigError(f"there is no run {run!r}: " + (suggest(run, known) if known else f"{runs} holds none"))
