"""Tasks and workspaces: load them, check them, plan them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from akgflow import config
from akgflow.api.boundary import public
from akgflow.config import Loaded
from akgflow.config.types import Task, Workspace
from akgflow.errors import ConfigError
from akgflow.executors.availability import Availability
from akgflow.machine import detect
from akgflow.models.prices import price_of
from akgflow.models.reachable import unreachable as find_unreachable
from akgflow.models.sizes import max_output_tokens
from akgflow.operators.packages import lacking
from akgflow.operators.shapes.dimensions import sizes_of
from akgflow.operators.shapes.guarantee import NOTHING
from akgflow.planning import Plan, build_plan, shapes_of
from akgflow.planning.pricing import agents_in, check_prices, models_in_use

if TYPE_CHECKING:
    from akgflow.suites import Likely

Named = str | Path | Loaded
"""A task: its file, its name in a workspace, or what `load` returned."""


def workspace_root(workspace: str | Path | None = None) -> Path:
    """The folder ``workspace``, or the nearest one above the current folder that is a workspace."""
    return config.find_root() if workspace is None else Path(workspace)


def runs_folder(workspace: str | Path | None = None) -> Path:
    """The folder of a workspace's runs, as its agents.yaml says. Raises `ConfigError`."""
    return config.runs_folder(workspace_root(workspace))


@public
def load(task: Named, *, workspace: str | Path | None = None, overrides: Sequence[str] = ()) -> Loaded:
    """The task and the workspace that its names resolve in.

    ``overrides`` are ``PATH=VALUE`` texts such as ``budget.usd=1``. Raises `ConfigError` with every problem of every
    file.
    """
    if isinstance(task, Loaded):
        if overrides or workspace is not None:
            raise ConfigError("a task that is loaded has its workspace and its values: give overrides to load")
        return task
    return config.load(task, root=None if workspace is None else Path(workspace), overrides=overrides)


@public
def load_workspace(workspace: str | Path | None = None, *, overrides: Sequence[str] = ()) -> Workspace:
    """The workspace alone: its own entries over the shipped ones. Raises `ConfigError`."""
    return config.load_workspace(workspace_root(workspace), overrides=overrides)


@public
def list_tasks(workspace: str | Path | None = None) -> dict[str, Path]:
    """The files of all tasks that can be named, the workspace's own before the shipped ones."""
    return config.list_tasks(workspace_root(workspace))


def is_suite(named: str | Path, *, workspace: str | Path | None = None) -> bool:
    """True for a suite, by its path or by its name in ``suites/`` of the workspace; a task's name comes before it."""
    found = config.find_suite(named, None if workspace is None else Path(workspace))
    return found is not None and str(named) not in config.list_tasks(workspace_root(workspace))


@public
def validate(*tasks: str | Path, workspace: str | Path | None = None, overrides: Sequence[str] = ()) -> tuple[str, ...]:
    """The names of ``tasks``, or of all tasks of the workspace, where nothing is wrong with them.

    Raises one `ConfigError` with the problems of all of them, prices that a ceiling needs included.
    """
    return tuple(task.name for task in _checked(tasks, workspace, overrides))


@public
def shapes(*tasks: str | Path, workspace: str | Path | None = None, overrides: Sequence[str] = ()) -> dict[str, str]:
    """The same with what the judge varies of each task's shapes beside those that it states, in one line."""
    return {task.name: shapes_of(task) for task in _checked(tasks, workspace, overrides)}


@public
def sizes(operator: str | Path) -> str:
    """What the judge varies of the shapes of an operator's file beside its own, in one line; nothing is run.

    Raises `ConfigError` where it is no operator.
    """
    return NOTHING.varied(sizes_of(config.check_operator(Path(operator), ()).whole))


def _checked(tasks: Sequence[str | Path], workspace: str | Path | None, overrides: Sequence[str]) -> list[Task]:
    if not tasks:
        return _sound([partial(config.load_all, workspace_root(workspace), overrides=overrides)])
    by_root: dict[Path, list[str]] = {}
    for task in tasks:
        root = config.workspace_of(task) if workspace is None else Path(workspace)
        by_root.setdefault(root, []).append(str(task))
    read = partial(config.load_tasks, overrides=overrides)
    return _sound(partial(read, group, root=root) for root, group in by_root.items())


def _sound(workspaces: Iterable[Callable[[], tuple[Workspace, tuple[Task, ...]]]]) -> list[Task]:
    found: list[Task] = []
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
                found.append(task)
            except ConfigError as wrong:
                failed.append(wrong)
    if failed:
        listed = dict.fromkeys(problem for wrong in failed for problem in wrong.problems)
        raise ConfigError(list(listed), more=sum(wrong.more for wrong in failed), before_anything=True)
    return found


@public
def plan(task: Named, *, workspace: str | Path | None = None, overrides: Sequence[str] = ()) -> Plan:
    """What running the task on this machine would do, and at most for how much. Runs and spends nothing.

    Raises `ConfigError` also for a ceiling that cannot hold.
    """
    loaded = load(task, workspace=workspace, overrides=overrides)
    machine = detect()
    availability = Availability(machine, loaded.workspace)
    return build_plan(
        loaded.task,
        loaded.workspace,
        machine,
        missing=availability.missing,
        at=availability.at,
        price_of=price_of,
        reply_tokens_of=max_output_tokens,
        lacking=lacking(loaded.task.operator.source, loaded.task.operator.beside),
    )


@public
def likely(task: Loaded, plan: Plan) -> Likely | None:
    """What running the task probably takes, by the finished runs of its workspace that had its workflow and models."""
    runs = task.workspace.runs
    if not runs.is_dir():
        return None
    # It reads results, which takes more than all else that a plan does.
    from akgflow.suites import likely_of

    return likely_of([plan], runs)


@public
def unreachable(task: Named, *, workspace: str | Path | None = None, overrides: Sequence[str] = ()) -> tuple[str, ...]:
    """Why models of the task cannot be asked: no key or recording, nothing answers, a command is not installed.

    A sentence for each model without a fallback that can. Takes less than a second and spends nothing.
    """
    loaded = load(task, workspace=workspace, overrides=overrides)
    return unreachable_of(loaded, loaded.task.file.parent / "recordings")


def unreachable_of(loaded: Loaded, recordings: Path | None) -> tuple[str, ...]:
    """The same; without ``recordings`` nobody looks for any."""
    space = loaded.workspace
    agents = agents_in(space.workflows[loaded.task.workflow], space)
    used = (space.models[name] for name in models_in_use(agents, space))
    dead = find_unreachable(used, loaded.task.name, recordings)
    asked = dict.fromkeys(space.agents[agent].model for agent in agents)
    return tuple(
        f"model {name}: {dead[name]}"
        for name in asked
        if all(one in dead for one in (name, *space.models[name].fallbacks))
    )


def answered_by(loaded: Loaded, model: str) -> tuple[str, ...]:
    """Overrides with which ``model`` answers for every model that the task uses."""
    space = loaded.workspace
    agents = agents_in(space.workflows[loaded.task.workflow], space)
    specs = [space.models[name] for name in models_in_use(agents, space)]
    # The settings of a command do nothing for another model: its entry is replaced as a whole.
    whole = json.dumps({"model": model})
    return tuple(
        f"models.{spec.name}={whole}" if spec.command else f"models.{spec.name}.model={model}" for spec in specs
    )
