"""Python text that is looked at and never run: its syntax, and the names that it binds at the top level."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Sequence


class PythonError(ValueError):
    """Text that is not Python; ``line`` and ``column`` count from 1."""

    def __init__(self, message: str, line: int = 1, column: int = 1, text: str = "") -> None:
        self.line, self.column, self.text = line, column, text
        super().__init__(message)


def parse_python(source: str) -> ast.Module:
    """The syntax tree of a module; raises `PythonError`."""
    tree = _parsed(source, "exec")
    assert isinstance(tree, ast.Module)
    return tree


def parse_expression(source: str) -> ast.expr:
    """The syntax tree of one expression; raises `PythonError`."""
    tree = _parsed(source, "eval")
    assert isinstance(tree, ast.Expression)
    return tree.body


def _parsed(source: str, mode: str) -> ast.AST:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about stray backslashes in docstrings
            return ast.parse(source, mode=mode)
    except SyntaxError as error:
        line, column = error.lineno or 1, max(error.offset or 1, 1)
        raise PythonError(error.msg, line, column, (error.text or "").strip()) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise PythonError(str(error) or "nested too deeply") from None


def definitions(body: Sequence[ast.stmt]) -> dict[str, ast.stmt]:
    """The names that are bound at the top level, also below ``if``, ``try`` and ``with``; the last binding counts."""
    found: dict[str, ast.stmt] = {}
    todo = list(reversed(body))
    while todo:  # no recursion: a chain of elif nests as deep as it is long
        node = todo.pop()
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            found.update((name, node) for name in _targets(node))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found.update((alias.asname or alias.name.partition(".")[0], node) for alias in node.names)
        else:
            blocks = [getattr(node, block, []) for block in ("body", "orelse")]
            blocks += [handler.body for handler in getattr(node, "handlers", ())]
            blocks.append(getattr(node, "finalbody", []))
            todo += [inner for block in reversed(blocks) for inner in reversed(block)]
    return found


def required(signature: ast.arguments) -> list[str]:
    """The names of the parameters that have no default, ``self`` among them."""
    positional = [*signature.posonlyargs, *signature.args]
    first_default = len(positional) - len(signature.defaults)
    named = (a for a, default in zip(signature.kwonlyargs, signature.kw_defaults, strict=True) if default is None)
    return [a.arg for a in (*positional[:first_default], *named)]


def _targets(node: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    names = (part for target in targets for part in ast.walk(target) if isinstance(part, ast.Name))
    return [name.id for name in names if isinstance(name.ctx, ast.Store)]
