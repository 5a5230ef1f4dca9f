"""Tasks by their names: each goes by the ``name`` in its file, and two of a workspace may not share one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from akgflow.config._files import Unreadable, read_bytes
from akgflow.config._problems import display, quoted, suggest
from akgflow.errors import ConfigError, Mark, Problem

_NAME = re.compile(r"""^name[ \t]*:[ \t]*(["']?)(?P<name>[^"'#\r\n]*?)\1[ \t]*(?:#.*)?$""", re.MULTILINE)

_FORM = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
"""What a name may be: one that is none is looked for by its file, whose check says what is wrong."""


def named_in(folder: Path) -> dict[str, list[Path]]:
    """The task files of a folder by the name that each has; a file without a sound one goes by its own."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*.yaml")):
        found.setdefault(_written(path)[0], []).append(path)
    return found


def _written(path: Path) -> tuple[str, Mark]:
    """A task's name and the place of it, looked up without reading the file as YAML."""
    try:
        text = read_bytes(path).decode("utf-8", "replace")
    except Unreadable:
        text = ""
    match = _NAME.search(text)
    if match is None or not _FORM.fullmatch(match["name"]):
        return path.stem, Mark(display(path), 1, 1)
    start = match.start("name") - len(match[1])
    line = text.count("\n", 0, start) + 1
    return match["name"], Mark(display(path), line, start - text.rfind("\n", 0, start))


def repeated(paths: Iterable[Path]) -> list[Problem]:
    """A problem for each of these files whose name an earlier one of the same folder has."""
    seen: dict[tuple[Path, str], Mark] = {}
    problems = []
    for path in dict.fromkeys(Path(os.path.abspath(one)) for one in paths):
        name, mark = _written(path)
        other = seen.setdefault((path.parent, name), mark)
        if other is not mark:
            message = f"two tasks have the name {quoted(name)}"
            problems.append(Problem(mark, message, f"{other} has it, too; rename one"))
    return problems


def found_task(task: str, folder: Path, shipped: Mapping[str, Path]) -> Path:
    """The file of a task, given by its path or its name in a folder or among the ``shipped`` ones.

    Raises `ConfigError` where none or several have the name.
    """
    if os.path.isfile(task):
        return Path(task)
    own = named_in(folder)
    if task in own:
        if problems := repeated(own[task]):
            raise ConfigError(problems, before_anything=True)
        return own[task][0]
    if task in shipped:
        return shipped[task]
    if os.path.exists(task):  # what is no file is refused when it is read, by what it is
        return Path(task)
    looks_like_path = task.endswith((".yaml", ".yml")) or "/" in task
    by_file = {path.stem: name for name, paths in own.items() for path in paths}
    called = f"the task of {quoted(f'{task}.yaml')} has the name {quoted(by_file[task])}" if task in by_file else ""
    message = f"there is no task {'file' if looks_like_path else 'named'} {quoted(task)}"
    hint = called or suggest(Path(task).stem, {**shipped, **own})
    raise ConfigError([Problem(None, message, hint)], before_anything=True)
