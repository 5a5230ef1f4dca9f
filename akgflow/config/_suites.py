"""Loads a suite: its file, and its problems as tasks. One that cannot be judged is set aside with its reason."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from akgflow.config._files import Unreadable, read_bytes
from akgflow.config._load import Loader, find_root
from akgflow.config._problems import MAX_SHOWN, display, quoted, suggest
from akgflow.config.types import Budget, Task, Workspace
from akgflow.errors import ConfigError, Problem


@dataclass(frozen=True)
class Member:
    """One problem of a suite, as the task that it is. ``level`` may be empty; its kind is the operator's."""

    task: Task
    level: str = ""
    weight: float = 1.0
    """How much it counts where what others left of the budget is given out."""


@dataclass(frozen=True)
class Unfit:
    """One problem of a suite that is no task: its file cannot be read, or has what akgflow cannot express."""

    name: str
    level: str
    reason: str
    """With its place in the problem's own file."""


@dataclass(frozen=True)
class Suite:
    """A suite, and the workspace that its names resolve in."""

    name: str
    file: Path
    workspace: Workspace
    members: tuple[Member, ...]
    budget: Budget
    """Of all problems together."""
    parallel: int = 8
    """The most problems at the same time."""
    unfit: tuple[Unfit, ...] = ()
    """Problems that are selected, too, and cannot be judged."""


def find_suite(named: str | Path, root: Path | None = None) -> Path | None:
    """The file of a suite, by its path or by its name in ``suites/`` of the workspace; None where it is no suite."""
    inner = (root or find_root()) / "suites" / f"{named}.yaml"
    path = Path(named) if os.path.isfile(named) else inner
    try:
        text = read_bytes(path).decode("utf-8", "replace")
    except Unreadable:
        return None
    return path if re.search(r"^suite[ \t]*:", text, re.MULTILINE) else None


def load_suite(
    named: str | Path,
    *,
    root: Path | None = None,
    overrides: Sequence[str] = (),
    env: Mapping[str, str] = os.environ,
) -> Suite:
    """The suite of that name or path, its problems as tasks.

    Raises `ConfigError` with all that is wrong with the suite, or with its problems where none of them can be judged.
    """
    file = find_suite(named, root)
    if file is None:
        folder = (root or find_root()) / "suites"
        known = [path.stem for path in sorted(folder.glob("*.yaml"))]
        raise ConfigError([Problem(None, f"there is no suite {quoted(str(named))}", suggest(str(named), known))])
    loader = Loader(root or find_root(file), overrides, env)
    node, drafts = loader.add_suite(file)
    workspace, tasks = loader.finish()
    if not tasks:
        found = [one for _, unfit in drafts for one in unfit]
        raise ConfigError(found[:MAX_SHOWN], more=max(0, len(found) - MAX_SHOWN), before_anything=True)
    fit = [one for one, unfit in drafts if not unfit]
    data = node.data()
    if not data.get("knowledge", False):
        workspace = replace(workspace, knowledge=replace(workspace.knowledge, use="never", add=False))
    return Suite(
        name=data["suite"],
        file=file,
        workspace=workspace,
        members=tuple(Member(task, one.level, one.weight) for task, one in zip(tasks, fit, strict=True)),
        budget=tasks[0].budget,
        parallel=data.get("parallel", Suite.parallel),
        unfit=tuple(
            Unfit(one.name, one.level, "; ".join(_said(problem, display(file)) for problem in unfit))
            for one, unfit in drafts
            if unfit
        ),
    )


def _said(problem: Problem, suite: str) -> str:
    """With its place, unless that is in the suite's own file: the whole problem is meant there."""
    of_suite = problem.mark is not None and problem.mark.file == suite
    return str(replace(problem, mark=None) if of_suite else problem)
