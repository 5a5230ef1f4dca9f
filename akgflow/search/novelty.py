"""Compares sources as programs: without comments, docstrings, blank lines and spacing."""

from __future__ import annotations

import ast
import re
import warnings

from akgflow.base.text import lines

# In the languages that kernels embed as text; a quote inside a comment, or the other way round, stays as it is.
_FOREIGN = re.compile(r'"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_BLANKS = re.compile(r"[ \t]+")


def normal_form(source: str) -> str:
    """One text for all sources that differ in form only. Text that is not Python is compared by its lines."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd escapes in a candidate
            tree = ast.parse(source)
        return ast.unparse(_Plain().visit(tree))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _lines(source)


class _Plain(ast.NodeTransformer):
    """Removes what does nothing: bare strings, and comments in strings that hold other languages."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return None
        return self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return node  # blanks at the ends of its pieces may matter

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, str) and "\n" in node.value:
            return ast.copy_location(ast.Constant(_lines(_FOREIGN.sub(_kept, node.value))), node)
        return node


def _kept(found: re.Match[str]) -> str:
    return found[0] if found[0].startswith('"') else " "


def _lines(text: str) -> str:
    """The lines that are not blank, each with single spaces; line ends stay, for a preprocessor reads them."""
    return "\n".join(line for raw in lines(text) if (line := _BLANKS.sub(" ", raw).strip()))
