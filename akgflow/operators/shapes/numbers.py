"""Whole numbers that ``get_inputs`` and ``get_init_inputs`` write out or read in a table, and a file with others.

They have no names, so that no case can set them: ``torch.rand(64, 1009)``. Where they are sizes, a failure may be seen
with smaller ones.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from akgflow.operators.shapes.dimensions import base_of, dimensions, parsed
from akgflow.operators.shapes.written import MAKERS, Number, number_at, replaced, written
from akgflow.operators.text import parts_of


def numbers_in(text: str) -> tuple[Number, ...]:
    """The numbers in the order of the file; empty where it cannot be parsed."""
    tree = parsed(parts_of(text).source)
    if tree is None:
        return ()
    makers = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in MAKERS]
    found = {number for maker in makers for node in maker.body for number in _below(node)}
    read = {one.id for maker in makers for one in ast.walk(maker) if isinstance(one, ast.Name)}
    named = {base_of(one.name)[0] for one in dimensions(text)}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple | ast.List | ast.Dict):
            names = {one.id for one in node.targets if isinstance(one, ast.Name)}
            if names & read and not names & named:
                found |= set(_below(node.value))
    # These are sizes that have a name.
    found -= {place for places in written(tree).values() for place in places}
    return tuple(sorted(found, key=lambda one: (one.line, one.column)))


def _below(node: ast.AST) -> Iterator[Number]:
    for one in ast.walk(node):
        number = number_at(one) if isinstance(one, ast.Constant) else None
        if number is not None:
            yield number


def with_numbers(text: str, values: Mapping[Number, int]) -> str:
    """The text in which other numbers stand in these places."""
    parts = parts_of(text)
    return parts.around(replaced(parts.source, values))
