"""The problems of a suite: operator files that its groups select, each as the task that it stands for."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from akgflow.config._problems import Problems, display, quoted
from akgflow.config._yaml import Node

_OF_TASK = (
    *("matrix", "workflow", "gates", "precision", "framework", "baselines", "dtype", "mode", "shapes", "layouts"),
    *("backward", "prepare", "tolerance", "memory", "limits", "keep", "profile", "budget"),
)
"""What a suite says once for all its tasks."""
_LONGEST_NAME = 64
_OF_FOLDERS = ("definition.json", "task.yml", "reference.py", "func_forward.py")
"""Main files of problems that are folders, in formats of other projects."""
_NUMBERS = re.compile("([0-9]+)")


@dataclass(frozen=True)
class Draft:
    """A problem before it is checked: its task as a node, its level and weight."""

    name: str
    task: Node
    level: str
    weight: float


def expand(suite: Node, folder: Path, problems: Problems) -> list[Draft]:
    """One draft for each operator file that the groups of ``suite`` select, by group and then by name."""
    drafts: list[Draft] = []
    taken: dict[str, Path] = {}
    groups = suite.at("problems")
    for group in groups.items if groups else []:
        where = group.at("path")
        if where is None or not where.text:
            continue
        root = Path(os.path.abspath(folder / where.text))
        for file in _selected(group, root, problems):
            name = _name(file.relative_to(root))
            if name in taken:
                files = f"{display(taken[name])} and {display(file)}"
                problems.add(where.mark, f"two problems have the name {quoted(name)}: {files}", "select one of them")
                continue
            taken[name] = file
            drafts.append(_draft(suite, group, where, root, file, name))
    return drafts


def _selected(group: Node, root: Path, problems: Problems) -> list[Path]:
    where = group.at("path")
    assert where is not None
    if not root.is_dir():
        problems.add(where.mark, f"{display(root)} is no folder", "name the folder that holds the operators")
        return []
    before = len(problems)
    found = {file for pattern in _patterns(group, problems) for file in root.glob(pattern) if file.is_file()}
    files = sorted((file for file in found if not file.name.startswith(("_", "."))), key=_by_number)
    if not files and len(problems) == before:
        problems.add(where.mark, f"nothing in {display(root)} is selected", "look at 'select'")
    if not files:
        return []
    sample, limit = _whole(group, "sample"), _whole(group, "limit")
    if sample is not None and sample > len(files):
        node = group.at("sample")
        assert node is not None
        problems.add(node.mark, f"'sample' draws {sample} of {len(files)} problems", f"draw {len(files)} at most")
    elif sample is not None:
        files = sorted(random.Random(_whole(group, "seed") or 0).sample(files, sample), key=_by_number)
    return files[:limit]


def _patterns(group: Node, problems: Problems) -> Iterator[str]:
    select = group.at("select")
    nodes = [] if select is None else select.items or [select]
    for node in nodes:
        pattern = node.text or ""
        if pattern.startswith("/") or ".." in Path(pattern).parts:
            problems.add(node.mark, f"{quoted(pattern)} leaves the folder", "select below 'path', or name another path")
        elif pattern:
            yield pattern
    if select is None:
        yield "*.py"


def _whole(group: Node, key: str) -> int | None:
    node = group.at(key)
    return node.value if node is not None and type(node.value) is int else None


def _by_number(file: Path) -> tuple[object, ...]:
    """``2_x.py`` comes before ``10_x.py``."""
    return tuple((0, int(one), "") if one.isdigit() else (1, 0, one) for one in _NUMBERS.split(file.as_posix()))


def _name(file: Path) -> str:
    """A task's name for a path below the group's folder: ``level1/3_Batched.py`` is ``level1-3_Batched``."""
    place = _place(file)
    name = re.sub("[^A-Za-z0-9_-]", "_", "-".join(place.parts if place != file else file.with_suffix("").parts))
    name = name if name[0].isalpha() else f"p{name}"
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[: _LONGEST_NAME - 9]}-{sha256(name.encode()).hexdigest()[:8]}"


def _place(file: Path) -> Path:
    """The folder of a problem that is one; else its file."""
    return file.parent if file.name in _OF_FOLDERS and file.parent.name else file


def _draft(suite: Node, group: Node, where: Node, root: Path, file: Path, name: str) -> Draft:
    def node(value: str | int | dict[str, Node]) -> Node:
        return Node(value, where.mark, where.key)

    operator = {"file": node(str(file))}
    if (kind := group.at("kind")) is not None:
        operator["kind"] = kind
    entries = {"version": node(1), "name": node(name), "kind": node("generate"), "operator": node(operator)}
    entries |= {key: child for key in _OF_TASK if (child := suite.at(key)) is not None}
    if (cases := group.at("cases")) is not None:
        entries["cases"] = cases
    level, weight = group.at("level"), group.at("weight")
    inner = "/".join(_place(file.relative_to(root)).parent.parts)
    return Draft(
        name,
        Node(entries, suite.mark),
        inner if level is None else str(level.value),
        float(weight.value) if weight is not None and isinstance(weight.value, int | float) else 1.0,
    )
