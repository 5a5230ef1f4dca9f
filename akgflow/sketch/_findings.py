"""Findings of the checker, and the exception after which it continues with the next statement."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from akgflow.config import nearest as nearest_name


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is wrong. ``line`` and ``column`` count from 1; ``message`` also says what to do about it."""

    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.line}:{self.column}: {self.message}"


class Wrong(Exception):
    """A statement that cannot be understood any further."""

    def __init__(self, node: ast.AST, message: str) -> None:
        self.finding = at(node, message)
        super().__init__(message)


def at(node: ast.AST, message: str) -> Finding:
    """A finding at the place of a node."""
    return Finding(getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1, message)


def nearest(name: str, names: Iterable[str], otherwise: str) -> str:
    """The name that was probably meant, as a question, or else what to do."""
    found = nearest_name(name, names)
    return f"did you mean {found}?" if found else otherwise
