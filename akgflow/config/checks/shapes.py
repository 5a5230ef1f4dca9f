"""The key ``shapes`` of a task, and the option of the same name: sizes of the operator, each in a range."""

from __future__ import annotations

from typing import Any

from akgflow.config._problems import Problems, quoted, suggest
from akgflow.config._yaml import Node
from akgflow.config.checks.operators import Surface
from akgflow.errors import ConfigError, Mark
from akgflow.operators.shapes.dimensions import OF_A_CASE, base_of, dimensions
from akgflow.operators.shapes.guarantee import FIXED, Guarantee, SizeRange, size_range


def guarantee(data: Any) -> Guarantee:
    """What a checked value of ``shapes`` says."""
    if data == FIXED:
        return Guarantee(fixed=True)
    ranges = {name: size_range(value) for name, value in data.items()}
    return Guarantee(sizes={name: one for name, one in ranges.items() if one is not None})


def check_shapes(task: Node, text: str, surface: Surface, problems: Problems) -> None:
    """Each size that is guaranteed is one of the operator's; its range holds one; what the gate asks for can be had."""
    node, gate = task.at("shapes"), task.at("gates", "shapes")
    if node is not None and node.text == FIXED and gate is not None:
        problems.add(gate.mark, "this gate asks for other shapes than the stated ones, and 'shapes: fixed' for none")
    for name, one in node.entries.items() if node is not None else ():
        if hint := _unknown(name, text, surface):
            problems.add(one.place, f"the operator has no size {quoted(name)}", hint)
        found = size_range(one.data())
        if found is not None and found.empty:
            problems.add(one.mark, f"no size of {quoted(name)} is in this range: {found}", "write it as LEAST..MOST")


def parse_shapes(text: str) -> Guarantee:
    """``fixed``, or ``m=1..8192,k=8..4096:8`` (multiples of 8); raises `ConfigError`."""
    if text.strip() == FIXED:
        return Guarantee(fixed=True)
    problems, column = Problems(), 1
    problems.know("--shapes", text)
    sizes: dict[str, SizeRange] = {}
    for part in text.split(","):
        name, _, value = (piece.strip() for piece in part.partition("="))
        found, at = size_range(value), Mark("--shapes", 1, column)
        if not name or found is None or name in sizes:
            problems.add(at, "shapes are 'fixed' or NAME=LEAST..MOST,…, each name once", "write for example m=1..8192")
        elif found.empty or found.least < 1:
            problems.add(at, f"no size of {quoted(name)} is in this range: {found}", "write it as LEAST..MOST")
        else:
            sizes[name] = found
        column += len(part) + 1
    problems.check()
    return Guarantee(sizes=sizes)


def check_guarantee(guaranteed: Guarantee, text: str, surface: Surface) -> None:
    """Raise `ConfigError` where the operator lacks a size that a command guarantees."""
    for name in guaranteed.sizes:
        if hint := _unknown(name, text, surface):
            raise ConfigError(f"--shapes: the operator has no size {quoted(name)}: {hint}")


def _unknown(name: str, text: str, surface: Surface) -> str:
    """What to do about a name that is no size of the operator; empty where it is one."""
    known = {one.name for one in dimensions(text, frozenset([name]))}
    if name in known or not base_of(name)[0].isidentifier() or (surface.anything and base_of(name)[1] is None):
        return ""
    names = sorted(known.union(surface.names) - {*OF_A_CASE, "secret"})
    return suggest(name, names)
