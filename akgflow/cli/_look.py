"""Commands that only look: ``validate``, ``list``, ``schema``, ``show``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

import click

from akgflow.base.streams import echo
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
from akgflow.config.types import Task, Workspace
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
        by_root: dict[Path, list[str]] = {}
        for task in tasks:
            by_root.setdefault(workspace or workspace_of(task), []).append(task)
        names = _checked(partial(load_tasks, group, root=root, overrides=overrides) for root, group in by_root.items())
    else:
        names = _checked([partial(load_all, workspace or find_root(), overrides=overrides)])
    if as_json:
        echo_json({"valid": names})
    else:
        echo(f"valid: {', '.join(names) or 'the workspace (it has no tasks)'}")


def _checked(workspaces: Iterable[Callable[[], tuple[Workspace, tuple[Task, ...]]]]) -> list[str]:
    """Names of the tasks; the problems of all of them are raised together."""
    from akgflow.models.prices import price_of
    from akgflow.planning.pricing import agents_in, check_prices

    names: list[str] = []
    failed: list[ConfigError] = []
    for read in workspaces:
        try:
            space, tasks = read()
        except ConfigError as wrong:
            failed.append(wrong)
            continue
        for task in tasks:
            try:
                check_prices(task, space, agents_in(space.workflows[task.workflow], space), price_of)
                names.append(task.name)
            except ConfigError as wrong:
                failed.append(wrong)
    if failed:
        found = dict.fromkeys(problem for wrong in failed for problem in wrong.problems)
        raise ConfigError(list(found), more=sum(wrong.more for wrong in failed), before_anything=True)
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
    space = load_workspace(workspace or find_root(), overrides=overrides)
    rows = [row | _origin(space, kind, row["name"]) for row in _LISTS[kind](space)]
    if as_json:
        echo_json(rows)
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
@click.argument("kind", type=click.Choice(KINDS))
def schema_command(kind: str) -> None:
    """Print the JSON Schema of KIND, for editors and other tools."""
    echo(schema_text(kind), end="")


@click.command("show")
@click.argument("run", required=False)
@workspace_option
@json_option
def show_command(run: str | None, workspace: Path | None, as_json: bool) -> None:
    """Show the table of a RUN, or how far an unfinished one came, and where its means went.

    RUN is its folder, or the folder's name; without it, the run of the workspace that was at work last.
    """
    from akgflow.reporting import console, show_run
    from akgflow.runs import read_run

    found = read_run(_folder(run, (workspace or find_root()) / "runs"))
    if as_json:
        echo_json(found)
    else:
        show_run(found, console())


def _folder(run: str | None, runs: Path) -> Path:
    """The folder that ``run`` names; raises `ConfigError` with the names that are there."""
    from akgflow.runs import runs_in

    if run is not None and Path(run).is_dir():
        return Path(run)
    known = {folder.name: folder for folder in runs_in(runs)}
    if run is None and known:
        return next(iter(known.values()))
    if run in known:
        return known[run]
    if run is None:
        raise ConfigError(f"there is no run in {runs} yet: akgflow run TASK makes one")
    raise ConfigError(f"there is no run {run!r}: " + (suggest(run, known) if known else f"{runs} holds none"))
