"""Packages that an operator imports whatever it does, and that are not installed."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec

from akgflow.operators.python_text import PythonError, parse_python


def lacking(source: str, beside: Mapping[str, str]) -> tuple[str, ...]:
    """Top-level names of packages that this Python lacks, in the order in which they are imported.

    Only statements that always run count: an import below ``try``, ``if`` or in a function may have an answer.
    ``beside`` are modules of the operator's own, by their paths. Nothing is imported.
    """
    own = {path.partition("/")[0].removesuffix(".py") for path in beside}
    named = dict.fromkeys(name for text in (source, *beside.values()) for name in _imported(text))
    return tuple(name for name in named if name not in own and not is_installed(name))


def _imported(text: str) -> Iterator[str]:
    try:
        tree = parse_python(text)
    except PythonError:
        return
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def is_installed(name: str) -> bool:
    """Whether a top-level module can be imported here; nothing is imported."""
    if name in sys.stdlib_module_names or name in sys.modules:
        return True
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False
