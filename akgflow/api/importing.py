"""Problems of other projects as tasks of a workspace."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from akgflow.api.boundary import public
from akgflow.api.tasks import load_workspace
from akgflow.base.atomic import write_text
from akgflow.config import check_name, check_operator, check_target
from akgflow.config.types import Operator
from akgflow.errors import ConfigError, Problem
from akgflow.formats import FORMATS, problems_in

_LONGEST = 64
"""Characters of a task's name."""


@dataclass(frozen=True)
class ImportedProblems:
    """What became of the problems at or below a path."""

    tasks: tuple[Path, ...]
    """The task files that were written, or were there with the same text."""
    refused: tuple[Problem, ...]
    """What the others have that akgflow cannot express, with its place."""


@public
def import_problems(
    path: str | Path,
    *,
    form: str | None = None,
    dsls: Sequence[str] = ("triton",),
    targets: Sequence[str] = ("cpu",),
    workspace: str | Path | None = None,
) -> ImportedProblems:
    """Write a task for each problem at or below ``path``; a task refers to the problem's files, which stay there.

    ``form`` is the format, found by its looks without it. Raises `ConfigError` where there is no problem at all, and
    for a DSL or target that the workspace does not have.
    """
    space = load_workspace(workspace)
    form = None if form is None else check_name("format", form, FORMATS)
    matrix = [check_name("DSL", one, space.dsls) for one in dsls], [check_target(one, space.targets) for one in targets]
    found = list(problems_in(Path(path), form))
    if not found:
        raise ConfigError(f"{path} holds no problem of {form or ', '.join(FORMATS)}")
    tasks: list[Path] = []
    refused: list[Problem] = []
    for name, file in found:
        try:
            operator = check_operator(file, (), name)
            tasks.append(_written(space.root, operator, name, file, matrix, tasks))
        except ConfigError as wrong:
            refused += wrong.problems
    return ImportedProblems(tuple(tasks), tuple(refused))


def _written(
    root: Path, operator: Operator, form: str, file: Path, matrix: tuple[list[str], list[str]], taken: Sequence[Path]
) -> Path:
    folder = root / "tasks"
    reference = json.dumps(os.path.relpath(file.absolute(), folder.absolute()), ensure_ascii=False)
    for name in _names(operator, file):
        task = folder / f"{name}.yaml"
        text = _text(name, operator, form, reference, matrix)
        there = task.read_text(encoding="utf-8") if task.exists() else text
        if task in taken or (there != text and reference not in there):
            continue
        if there != text:
            raise ConfigError(f"{task} is a task of this problem already, and differs: rename or remove it")
        write_text(task, text)
        return task
    raise AssertionError("the names do not end")


def _names(operator: Operator, file: Path) -> Iterator[str]:
    """Names for a task: the problem's own, then with the folders above it, then with numbers."""
    given = operator.translation.name if operator.translation else file.stem
    folders = [part for part in file.absolute().parent.parts[1:] if part != given]
    made = ("_".join([*folders[len(folders) - depth :], given]) for depth in range(len(folders) + 1))
    names = list(dict.fromkeys(_shortened(re.sub(r"[^A-Za-z0-9_-]+", "_", name)) for name in made))
    usable = [name for name in names if re.match("[A-Za-z]", name)] or [f"p{names[0]}"[:_LONGEST]]
    yield from usable
    yield from (f"{usable[0][: _LONGEST - 5]}_{number}" for number in count(2))


def _shortened(name: str) -> str:
    """The end of a name that is too long, from a word on: what problems of one origin differ in."""
    if len(name) <= _LONGEST:
        return name
    _, _, rest = name[-_LONGEST - 1 :].partition("_")
    return rest or name[-_LONGEST:]


def _text(name: str, operator: Operator, form: str, file: str, matrix: tuple[list[str], list[str]]) -> str:
    about = operator.translation.description if operator.translation else ""
    described = f"description: {json.dumps(about, ensure_ascii=False)}\n" if about else ""
    dsls, targets = matrix
    return (
        f"version: 1\nname: {name}\n{described}kind: generate\n"
        f"operator: {{file: {file}, format: {form}}}\n"
        f"matrix: {{dsl: [{', '.join(dsls)}], target: [{', '.join(targets)}]}}\n"
    )
