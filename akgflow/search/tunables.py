"""Reads the constants that a candidate declares for tuning, and writes other values into its source.

A module says which of its constants may be changed, and to what::

    TUNABLES = {"BLOCK_M": [32, 64, 128], "num_warps": [4, 8]}
    BLOCK_M = 64
    num_warps = 4

A tuned candidate is the same text with other values in these lines: as plain and as self-contained as before.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass

from akgflow.base.text import lines as lines_of
from akgflow.config.types import Scalar

NAME = "TUNABLES"
MAX_NAMES = 12
MAX_VALUES = 64


class TunablesError(Exception):
    """A declaration that cannot be used; the text says why, for the author of the candidate."""


@dataclass(frozen=True)
class Tunables:
    """The constants that may be tuned, by name."""

    space: Mapping[str, tuple[Scalar, ...]]
    """The values that each may take."""
    first: Mapping[str, Scalar]
    """Their values in the source."""

    @property
    def size(self) -> int:
        """The number of combinations."""
        return math.prod(len(values) for values in self.space.values())


def declared(source: str) -> Tunables | None:
    """The declaration in ``source``, None without one; raises `TunablesError` where it is invalid."""
    try:
        literals = _literals(ast.parse(source))
    except (SyntaxError, ValueError, RecursionError):
        return None
    if NAME not in literals:
        return None
    space = _space(literals[NAME])
    first: dict[str, Scalar] = {}
    for name in space:
        if name not in literals:
            raise TunablesError(f"{NAME} names {name!r}, and no line '{name} = …' at the top level gives it a value")
        value = _value(literals[name])
        if not isinstance(value, Scalar):
            raise TunablesError(f"{name!r} is in {NAME}, and its line gives it no plain value")
        first[name] = value
    return Tunables(space, first)


def with_values(source: str, values: Mapping[str, Scalar]) -> str:
    """``source`` with other values in the lines of its constants. Columns of `ast` count UTF-8 bytes."""
    nodes = _literals(ast.parse(source))
    lines = [line.encode() for line in lines_of(source, keep_ends=True)]
    for name in sorted(values, key=lambda n: nodes[n].lineno, reverse=True):
        node = nodes[name]
        if _value(node) == values[name]:
            continue
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        head, tail = lines[first][: node.col_offset], lines[last][node.end_col_offset :]
        lines[first : last + 1] = [head + repr(values[name]).encode() + tail]
    return b"".join(lines).decode()


def _literals(tree: ast.Module) -> dict[str, ast.expr]:
    """The last value of each name that is assigned at the top level."""
    found: dict[str, ast.expr] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            found |= {target.id: node.value for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            found[node.target.id] = node.value
    return found


def _value(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _space(node: ast.expr) -> dict[str, tuple[Scalar, ...]]:
    data = _value(node)
    if not isinstance(data, dict) or not data or len(data) > MAX_NAMES:
        raise TunablesError(f"{NAME} must be a literal dict of 1 to {MAX_NAMES} names, each with a list of values")
    space: dict[str, tuple[Scalar, ...]] = {}
    for name, values in data.items():
        plain = isinstance(values, list | tuple) and all(isinstance(value, Scalar) for value in values)
        if not isinstance(name, str) or not plain or not 1 <= len(values) <= MAX_VALUES:
            raise TunablesError(f"{NAME}[{name!r}] must be a list of 1 to {MAX_VALUES} numbers or texts")
        space[name] = tuple(dict.fromkeys(values))
    return space
