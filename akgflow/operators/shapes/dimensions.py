"""The sizes that an operator's file names, found without running it, and the same file with other values for them.

A dimension is a whole number that ``get_inputs`` or ``get_init_inputs`` reads: a global, an element of a global tuple
or list (``input_shape[1]``), a keyword with such a default, or what they write out themselves (`written`). What is
computed from a dimension follows it, since the module's top level runs again with the new value.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from akgflow.operators.constants import MOST_DIGITS, assigned, whole_number
from akgflow.operators.python_text import PythonError, parse_python
from akgflow.operators.shapes.written import INIT, INPUTS, MAKERS, MEANING, SIZE, Number, replaced, written
from akgflow.operators.text import parts_of

OF_A_CASE = ("dtype", "tolerance", "dyn")
"""What a case sets beside the operator's own names."""
_FORM = ("Model", *MAKERS)
_ELEMENT = re.compile(r"(\w+)\[(\d+)\]")
_NO_SIZES = ("float", "str", "bool")
"""Annotations of keywords that hold no size."""


@dataclass(frozen=True)
class Dimension:
    """A size that can be varied."""

    name: str
    """As a case names it: ``batch``, ``input_shape[1]``."""
    value: int | None
    """The operator's own; None for a keyword that each case must give."""


@dataclass
class _Top:
    """The top level of a module: the values of its names, and its functions and classes."""

    values: dict[str, ast.expr | None] = field(default_factory=dict)
    """None for a name that is bound by something else than a plain assignment."""
    functions: dict[str, ast.FunctionDef] = field(default_factory=dict)
    classes: dict[str, ast.ClassDef] = field(default_factory=dict)


def dimensions(text: str, also: frozenset[str] = frozenset()) -> tuple[Dimension, ...]:
    """What can be varied in an operator, in the order in which it is read; empty where nothing is named.

    ``also`` are names that are sizes whatever they are called, since somebody says so.
    """
    tree = parsed(parts_of(text).source)
    if tree is None:
        return ()
    top = _top(tree)
    makers = [top.functions[name] for name in INPUTS if name in top.functions]
    init = [top.functions[INIT]] if INIT in top.functions else []
    of_inputs = dict(_read(makers, top))
    of_both = of_inputs | {name: value for name, value in _read(init, top) if name in also or SIZE.search(name)}
    # A candidate is told the arguments of Model, not the globals that Model reads by itself.
    fixed = dict(_numbers_read([top.classes["Model"]] if "Model" in top.classes else [], top))
    named = {
        name: value for name, value in of_both.items() if name in also or not (MEANING.search(name) or name in fixed)
    }
    by_place = {name: places[0].value for name, places in written(tree).items() if name not in of_both}
    return tuple(
        Dimension(name, value)
        for name, value in (named | by_place).items()
        if value is None or 0 < value < 10**MOST_DIGITS
    )


def sizes_of(text: str) -> Mapping[str, int | None]:
    """The sizes that can be varied, by name."""
    return {one.name: one.value for one in dimensions(text)}


def written_in(text: str) -> Mapping[str, tuple[Number, ...]]:
    """The sizes that the makers of an operator write out themselves, by name, with their places."""
    tree = parsed(parts_of(text).source)
    return {} if tree is None else written(tree)


def base_of(name: str) -> tuple[str, int | None]:
    """``input_shape[1]`` as the global's name and the index of its element; a plain name has no index."""
    found = _ELEMENT.fullmatch(name)
    return (found[1], int(found[2])) if found else (name, None)


def pinned(text: str, values: Mapping[str, str | int | float | bool]) -> str:
    """An operator's text in which globals have other values from the statement on that binds them.

    So have the sizes that its makers write out, where they stand.

    Every line stays where it is, so that what is computed from a value follows it and errors name the right line.
    """
    if not values:
        return text
    parts = parts_of(text)
    tree = parsed(parts.source)
    inner = {} if tree is None else {name: one for name, one in written(tree).items() if name in values}
    places = {place: int(values[name]) for name, found in inner.items() for place in found}
    outer = {name: value for name, value in values.items() if name not in inner}
    return parts.around(_with_globals(replaced(parts.source, places), outer))


def _with_globals(source: str, values: Mapping[str, str | int | float | bool]) -> str:
    tree = parsed(source)
    places = [] if tree is None else sorted(_bindings(tree.body, values), reverse=True)
    lines = [line.encode() for line in source.split("\n")]
    for line, column, name in places:
        one = lines[line - 1]
        lines[line - 1] = one[:column] + f"; {_assignment(name, values[name])}".encode() + one[column:]
    bound = {name for *_, name in places}
    # What is bound in no statement of the top level, by a loop or a call, is set at the end.
    late = [_assignment(name, value) for name, value in values.items() if name not in bound]
    return b"\n".join(lines).decode() + "".join(f"\n{one}" for one in late)


def parsed(source: str) -> ast.Module | None:
    """The syntax tree; None for what is no Python."""
    try:
        return parse_python(source)
    except PythonError:
        return None


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The simple statements of the top level, also below ``if``, ``try``, ``with`` and loops, and definitions."""
    for node in body:
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        for block in ("body", "orelse", "finalbody"):
            yield from _statements(getattr(node, block, ()))
        for handler in getattr(node, "handlers", ()):
            yield from _statements(handler.body)


def _top(tree: ast.Module) -> _Top:
    top = _Top()
    for node in _statements(tree.body):
        if isinstance(node, ast.FunctionDef):
            top.functions[node.name] = node
        elif isinstance(node, ast.ClassDef):
            top.classes[node.name] = node
        else:
            top.values.update(assigned(node))
    return top


def _bindings(body: Iterable[ast.stmt], wanted: Iterable[str]) -> Iterator[tuple[int, int, str]]:
    """The ends of the statements that bind the wanted names: line, column in bytes, name."""
    for node in _statements(body):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            names = {name for name, _ in assigned(node)}
            if isinstance(node, ast.AnnAssign) and node.value is None:
                names = set()
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.asname or alias.name for alias in node.names}
        else:
            continue
        for name in wanted:
            if base_of(name)[0] in names and node.end_lineno is not None and node.end_col_offset is not None:
                yield node.end_lineno, node.end_col_offset, name


def _assignment(name: str, value: str | int | float | bool) -> str:
    shown = f"float({str(value)!r})" if isinstance(value, float) else repr(value)
    base, place = base_of(name)
    if place is None:
        return f"{name} = {shown}"
    return f"{base} = type({base})((*{base}[:{place}], {shown}, *{base}[{place + 1}:]))"


def _read(functions: Sequence[ast.FunctionDef], top: _Top) -> Iterator[tuple[str, int | None]]:
    """The keywords of functions that are whole numbers, and the whole numbers that the functions read."""
    for function in functions:
        yield from _keywords(function)
    yield from _numbers_read(functions, top)


def _numbers_read(roots: Iterable[ast.AST], top: _Top) -> Iterator[tuple[str, int]]:
    """The whole numbers that are read below ``roots``, through what is called there and what is computed from them."""
    seen: set[str] = set()
    todo = list(roots)
    while todo:
        for name in _free_names(todo.pop(0)):
            if name in seen:
                continue
            seen.add(name)
            inner = top.functions.get(name) or top.classes.get(name) if name not in _FORM else None
            if inner is not None:
                todo.append(inner)
            elif (value := top.values.get(name)) is not None:
                yield from _numbers(name, value)
                todo.append(value)


def _free_names(node: ast.AST) -> Iterator[str]:
    """The names that are read below a node and do not belong to a function there, in their order."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        own = _locals(node)
        yield from (name for child in ast.iter_child_nodes(node) for name in _free_names(child) if name not in own)
        return
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        yield node.id
    for child in ast.iter_child_nodes(node):
        yield from _free_names(child)


def _locals(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> set[str]:
    """The names that belong to a function: its arguments, and what it binds."""
    signature = function.args
    arguments = {one.arg for one in (*signature.posonlyargs, *signature.args, *signature.kwonlyargs)}
    stored = (n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
    shared = {name for n in ast.walk(function) if isinstance(n, ast.Global) for name in n.names}
    return arguments.union(stored) - shared


def _keywords(function: ast.FunctionDef) -> Iterator[tuple[str, int | None]]:
    """Keywords with whole numbers as defaults, and those without any that may be sizes by their annotation."""
    signature = function.args
    positional = [*signature.posonlyargs, *signature.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(signature.defaults))
    defaults += signature.defaults
    for argument, default in (
        *zip(positional, defaults, strict=True),
        *zip(signature.kwonlyargs, signature.kw_defaults, strict=True),
    ):
        if default is None:
            if not (isinstance(argument.annotation, ast.Name) and argument.annotation.id in _NO_SIZES):
                yield argument.arg, None
        elif (value := whole_number(default)) is not None:
            yield argument.arg, value


def _numbers(name: str, value: ast.expr) -> Iterator[tuple[str, int]]:
    """The whole numbers that a global holds: itself, or elements of a tuple or list."""
    if (number := whole_number(value)) is not None:
        yield name, number
    elif isinstance(value, ast.Tuple | ast.List) and not any(isinstance(one, ast.Starred) for one in value.elts):
        for place, one in enumerate(value.elts):
            if (number := whole_number(one)) is not None:
                yield f"{name}[{place}]", number
