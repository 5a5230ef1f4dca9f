"""A definition: axes, inputs and outputs by shape and dtype, and a reference ``run`` as Python text."""

from __future__ import annotations

import ast
import keyword
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from akgflow.formats.base import Refused
from akgflow.formats.python import defined, parsed
from akgflow.formats.structure import entry, json_object, line_of

DTYPES = (
    *("float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"),
    *("int64", "int32", "int16", "int8", "uint8", "bool"),
)
"""What can be drawn: torch's own names."""
_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.UAdd, ast.USub)


@dataclass(frozen=True)
class Tensor:
    """An input or output."""

    name: str
    shape: tuple[str, ...] | None
    """Names of axes, and sizes that are written out; None for a Python number."""
    dtype: str


@dataclass(frozen=True)
class Definition:
    """A definition's file."""

    name: str
    description: str
    var: tuple[str, ...]
    """Axes whose sizes come from a workload."""
    const: Mapping[str, int]
    exprs: Mapping[str, str]
    """Axes that are computed, in an order in which they can be; each as Python over ``_axes``."""
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    reference: str
    custom: str | None
    """The function of the reference that makes inputs of the type ``custom``."""
    constrained: bool
    """Whether sizes depend on each other."""

    @property
    def unseen(self) -> tuple[str, ...]:
        """Variable axes of outputs that no input has: who allocates outputs is told them when a model is made."""
        seen = {axis for one in self.inputs for axis in one.shape or ()}
        used = {axis for one in self.outputs for axis in one.shape or ()}
        computed = "".join(self.exprs.values()) if used & self.exprs.keys() else ""
        return tuple(n for n in self.var if n not in seen and (n in used or f"_axes[{n!r}]" in computed))


def read_definition(text: str, file: Path) -> Definition:
    """The definition that a JSON text holds. Raises `Refused`."""
    data = json_object(text, file)
    axes = entry(data, "axes", dict, file, line=line_of(text, "axes"))
    kinds = {name: _axis(name, axes, file, text) for name in axes}
    const = {name: kinds[name]["value"] for name in axes if kinds[name]["type"] == "const"}
    var = tuple(name for name in axes if kinds[name]["type"] == "var")
    expressions = {name: kinds[name]["expression"] for name in axes if kinds[name]["type"] == "expr"}
    reference = entry(data, "reference", str, file)
    custom = entry(data, "custom_inputs_entrypoint", str, file, None)
    found = _reference(reference, custom, file, line_of(text, "reference"))
    inputs = tuple(_tensors(data, "inputs", axes, file, text))
    names = [one.name for one in inputs if one.shape is None]
    if both := set(names) & set(var):
        raise Refused(f"{min(both)!r} is an axis and a number among the inputs", file, line_of(text, min(both)))
    return Definition(
        name=entry(data, "name", str, file),
        description=entry(data, "description", str, file, ""),
        var=var,
        const=const,
        exprs=_ordered(expressions, {*const, *var}, file, text),
        inputs=inputs,
        outputs=tuple(_tensors(data, "outputs", axes, file, text)),
        reference=found,
        custom=custom,
        constrained=bool(entry(data, "constraints", list, file, [])),
    )


def _axis(name: str, axes: Mapping[str, Any], file: Path, text: str) -> Mapping[str, Any]:
    line = line_of(text, name)
    axis: Mapping[str, Any] = entry(axes, name, dict, file, line=line)
    _require_name(name, file, line)
    kind = entry(axis, "type", str, file, line=line)
    needed: dict[str, tuple[str, type]] = {"const": ("value", int), "expr": ("expression", str)}
    if kind not in ("var", *needed):
        raise Refused(f"the axis {name!r} is {kind!r}, not const, var or expr", file, line)
    if kind in needed:
        entry(axis, *needed[kind], file, line=line)
    return axis


def _require_name(name: str, file: Path, line: int) -> None:
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_akgflow") or name in ("self", "_axes"):
        raise Refused(f"{name!r} cannot be the name of an argument in Python", file, line)


def _reference(reference: str, custom: str | None, file: Path, line: int) -> str:
    """The reference's text, which must define what is called in it."""
    try:
        found = defined(parsed(reference, file))
    except Refused as wrong:
        raise Refused(f"line {wrong.line} of the reference: {wrong.reason}", file, line) from None
    for name in ("run", *([custom] if custom else [])):
        if not isinstance(found.get(name), ast.FunctionDef):
            raise Refused(f"the reference defines no function {name}", file, line)
    return reference.rstrip() + "\n"


def _tensors(data: Mapping[str, Any], part: str, axes: Iterable[str], file: Path, text: str) -> Iterable[Tensor]:
    for name, one in entry(data, part, dict, file, line=line_of(text, part)).items():
        line = line_of(text, name)
        _require_name(name, file, line)
        if not isinstance(one, dict):
            raise Refused(f"{part} {name!r} is not an object", file, line)
        shape = entry(one, "shape", list, file, None, line)
        dtype = entry(one, "dtype", str, file, line=line)
        sizes = None if shape is None else tuple(str(axis) if type(axis) is int else axis for axis in shape)
        for axis in sizes or ():
            if not isinstance(axis, str) or (axis not in axes and not axis.isdecimal()):
                raise Refused(f"{name!r} has the axis {axis!r}, which is not among the axes", file, line)
        if shape is not None and dtype not in DTYPES:
            reason = f"{name!r} is of {dtype}, which the judge cannot draw"
            raise Refused(reason, file, line, hint=f"it draws {', '.join(DTYPES)}")
        yield Tensor(name, sizes, dtype)


def _ordered(expressions: Mapping[str, str], known: set[str], file: Path, text: str) -> dict[str, str]:
    """Each expression after those that it needs."""
    found: dict[str, str] = {}
    todo = {}
    for name, code in expressions.items():
        made = arithmetic(code)
        if made is None:
            raise Refused(f"the axis {name!r} is no arithmetic of axes: {code}", file, line_of(text, name))
        todo[name] = made
    while todo:
        ready = {name: made for name, made in todo.items() if made.axes <= {*known, *found}}
        if not ready:
            name = next(iter(todo))
            raise Refused(f"the axis {name!r} cannot be computed: {expressions[name]}", file, line_of(text, name))
        for name, made in ready.items():
            found[name] = made.python
            del todo[name]
    return found


class Arithmetic(NamedTuple):
    """Arithmetic of axes."""

    python: str
    """A whole number, computed from ``_axes``."""
    axes: frozenset[str]
    """The names that it reads."""


def arithmetic(code: str) -> Arithmetic | None:
    """What an expression computes; None where it is more than arithmetic of whole numbers and names."""
    try:
        tree = ast.parse(code, mode="eval")
    except (SyntaxError, ValueError):
        return None
    plain = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.Name, ast.Load, ast.Constant, *_OPERATORS)
    for node in ast.walk(tree):
        if not isinstance(node, plain) or (isinstance(node, ast.Constant) and not isinstance(node.value, int)):
            return None
    names = frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
    return Arithmetic(f"int({ast.unparse(_Axes().visit(tree))})", names)


def shape_text(one: Tensor) -> str:
    """The shape of a tensor as Python over ``_axes``."""
    sizes = (axis if axis.isdecimal() else f"_axes[{axis!r}]" for axis in one.shape or ())
    return "(" + "".join(f"{size}, " for size in sizes).rstrip() + ")"


class _Axes(ast.NodeTransformer):
    """``a // 2`` → ``_axes['a'] // 2``."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Subscript(ast.Name("_axes", ast.Load()), ast.Constant(node.id), ast.Load())
