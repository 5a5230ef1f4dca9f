"""The modules that an operator imports from its own folder, and those that these import: found without running them."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from akgflow.config._problems import Problems, display
from akgflow.errors import Mark
from akgflow.operators.packages import is_installed
from akgflow.operators.python_text import PythonError, parse_python

MOST_FILES = 100


def beside(source: str, file: Path, problems: Problems) -> dict[str, str]:
    """The texts of all modules beside ``file`` that ``source`` needs, by their paths below its folder.

    The folder comes before what is installed, as for a script, and after the standard library. A module that is
    imported only by a name made at run time is not found.
    """
    folder = file.parent
    found: dict[str, str] = {}
    todo = [("", source, display(file))]
    while todo and len(found) < MOST_FILES:
        package, text, shown = todo.pop()
        for name in _imported(text, package, shown, problems):
            for path in _files_of(name, folder):
                relative = path.relative_to(folder).as_posix()
                if relative in found or path == file:
                    continue
                read = problems.read(path, None, "a module beside the operator")
                found[relative] = read or ""
                inside = path.parent.relative_to(folder).parts
                todo.append((".".join(inside), read or "", display(path)))
    return dict(sorted(found.items()))


def _imported(text: str, package: str, file: str, problems: Problems) -> Iterator[str]:
    """Absolute names of modules that a text may import; ``from a import b`` may mean ``a.b``."""
    try:
        tree = parse_python(text)
    except PythonError as error:
        problems.add(Mark(file, error.line, error.column), f"not valid Python: {error}")
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".") if package else []
            if node.level > len(above) + 1:
                at = Mark(file, node.lineno, node.col_offset + 1)
                problems.add(at, "this import leaves the operator's folder", "put what it imports into that, or below")
                continue
            base = above[: len(above) - node.level + 1] if node.level else []
            name = ".".join([*base, *([node.module] if node.module else [])])
            yield from (".".join(filter(None, (name, alias.name))) for alias in node.names)
            yield name


def _files_of(name: str, folder: Path) -> Iterator[Path]:
    """The files that importing a module executes, packages first; none where it is not in the folder."""
    first, *rest = name.split(".")
    if not first or first in sys.stdlib_module_names or first in ("torch", "akgflow"):
        return
    at = folder
    here = (folder / f"{first}.py").is_file() or (folder / first / "__init__.py").is_file()
    # A folder without __init__.py is a package too, where no other is installed.
    if not here and (not (folder / first).is_dir() or is_installed(first)):
        return
    for part in (first, *rest):
        if (at / part).is_dir():
            at /= part
            if (at / "__init__.py").is_file():
                yield at / "__init__.py"
            continue
        if (at / f"{part}.py").is_file():
            yield at / f"{part}.py"
        return
