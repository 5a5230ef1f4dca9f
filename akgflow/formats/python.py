"""Python text of problems and solutions: looked at, put together, never run."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from akgflow.base.text import lines
from akgflow.formats.base import Refused, Scalar
from akgflow.operators.python_text import PythonError, parse_python


def parsed(text: str, file: Path, first_line: int = 1) -> ast.Module:
    """The syntax tree; raises `Refused` at the line of the error. ``first_line`` is that of the text in ``file``."""
    try:
        return parse_python(text)
    except PythonError as error:
        reason, line = f"not valid Python: {error}", first_line + error.line - 1
        raise Refused(reason, file, line, error.column) from None


def defined(tree: ast.Module) -> dict[str, ast.stmt]:
    """Functions, classes and assigned names of the top level."""
    found: dict[str, ast.stmt] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found.update((one.id, node) for one in targets if isinstance(one, ast.Name))
    return found


def parameters(function: ast.stmt | None) -> tuple[str, ...]:
    """The names of a function's parameters; empty for anything else."""
    if not isinstance(function, ast.FunctionDef):
        return ()
    given = function.args
    return tuple(one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs))


def requires(text: str, name: str, file: Path, hint: str = "") -> dict[str, ast.stmt]:
    """What a text defines, ``name`` among it. Raises `Refused`."""
    found = defined(parsed(text, file))
    if name not in found:
        raise Refused(f"defines no {name}", file, hint=hint)
    return found


def require_solution(text: str, name: str, file: Path) -> None:
    """A solution defines the function ``name``. Raises `Refused`."""
    requires(text, name, file, f"define {name}, or the class ModelNew")


def literal(value: Scalar | None) -> str:
    """A value as Python; ``repr`` of a float that is not finite is no Python."""
    return repr(value) if not isinstance(value, float) or math.isfinite(value) else f"float({str(value)!r})"


def is_candidate(text: str, file: Path) -> bool:
    """Whether a file is a candidate as it is: Python with ``ModelNew``."""
    return file.suffix == ".py" and "ModelNew" in defined(parsed(text, file))


def with_modules(text: str, modules: Mapping[str, str], file: Path) -> str:
    """A candidate's text that carries the modules it imports, each of its lines where it was.

    A candidate stands alone: the modules are made in front of the first import of one of them, on the same line.
    """
    by_name = {PurePosixPath(path).stem: (path, source) for path, source in modules.items()}
    needed: dict[str, None] = {}
    _collect(text, by_name, needed, file)
    if not needed:
        return text
    line, column = min(_imports(parsed(text, file), needed))
    made = [_module(name, *by_name[name]) for name in needed]
    head = "import linecache as _akgflow_lines, sys as _akgflow_sys, types as _akgflow_types; " + "; ".join(made)
    whole = lines(text, keep_ends=True)
    before = whole[line - 1].encode()
    whole[line - 1] = (before[:column] + f"{head}; ".encode() + before[column:]).decode()
    return "".join(whole)


def _collect(text: str, modules: Mapping[str, tuple[str, str]], needed: dict[str, None], file: Path) -> None:
    """Note the modules that a text imports, those that they import first."""
    for name in _imported(parsed(text, file)):
        if name in modules and name not in needed:
            path, source = modules[name]
            if "/" in path:
                raise Refused(f"imports {path} from a folder; a candidate carries plain modules only", file)
            _collect(source, {n: one for n, one in modules.items() if n != name}, needed, file.with_name(path))
            needed[name] = None


def _imported(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module.partition(".")[0])
    return found


def _imports(tree: ast.AST, names: Mapping[str, None]) -> list[tuple[int, int]]:
    """Where the statements begin that import one of ``names``: line, column in bytes."""
    return [
        (node.lineno, node.col_offset)
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom) and set(_imported(node)) & set(names)
    ]


def _module(name: str, path: str, source: str) -> str:
    """Statements, on one line, that make a module of a text. Triton reads a kernel's source through `linecache`."""
    here = f"_akgflow_sys.modules[{name!r}]"
    made = f"{here} = _akgflow_types.ModuleType({name!r}); {here}.__file__ = {path!r}"
    kept = f"_akgflow_lines.cache[{path!r}] = (1, None, {source!r}.splitlines(True), {path!r})"
    return f"{made}; {kept}; exec(compile({source!r}, {path!r}, 'exec'), vars({here}))"
