"""Assignments and whole numbers as a text writes them out."""

from __future__ import annotations

import ast
from collections.abc import Iterator

MOST_DIGITS = 18


def assigned(node: ast.stmt) -> Iterator[tuple[str, ast.expr | None]]:
    """The names that an assignment binds, with their values where these are written out; none for other statements."""
    if not isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        return
    value = None if isinstance(node, ast.AugAssign) else node.value
    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
        yield from bound(target, value)


def bound(target: ast.expr, value: ast.expr | None) -> Iterator[tuple[str, ast.expr | None]]:
    """The same of one target of an assignment."""
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple | ast.List):
        items = value.elts if isinstance(value, ast.Tuple | ast.List) else []
        fits = len(items) == len(target.elts) and not any(
            isinstance(one, ast.Starred) for one in (*items, *target.elts)
        )
        for place, one in enumerate(target.elts):
            yield from bound(one, items[place] if fits else None)


def whole_number(node: ast.expr) -> int | None:
    """The value of a whole number that is written out, ``1 << 12`` and ``16 * 1024`` as well; else None."""
    if isinstance(node, ast.Constant):
        return node.value if type(node.value) is int else None
    if not isinstance(node, ast.BinOp):
        return None
    left, right = whole_number(node.left), whole_number(node.right)
    if left is None or right is None or max(abs(left), abs(right)) >= 10**MOST_DIGITS:
        return None
    return _computed(node.op, left, right)


def _computed(operator: ast.operator, left: int, right: int) -> int | None:
    match operator:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.FloorDiv() if right:
            return left // right
        case ast.LShift() if 0 <= right < 64:
            return left << right
        case ast.Pow() if 0 <= right < 64:
            return int(left**right)
    return None
