"""Formulas: the shape and dtype of what is computed in near and own memory."""

from __future__ import annotations

import ast
from collections.abc import Callable

from akgflow.sketch._access import Uses, load, select, size
from akgflow.sketch._findings import Wrong, nearest
from akgflow.sketch._symbols import (
    DTYPES,
    LEVELS,
    ONE,
    UNKNOWN,
    Scope,
    Shape,
    Size,
    Symbol,
    Tensor,
    Value,
    broadcast,
    shown,
)

CONSTANTS = ("inf", "nan", "pi", "e")
ELEMENTWISE = (
    *("exp", "exp2", "expm1", "log", "log2", "log1p", "sqrt", "rsqrt", "abs", "sin", "cos", "tan", "tanh", "sigmoid"),
    *("erf", "relu", "gelu", "silu", "softplus", "floor", "ceil", "round", "sign", "isnan", "where", "pow", "fma"),
    "clamp",
)
REDUCTIONS = ("sum", "prod", "mean", "max", "min", "any", "all", "argmax", "argmin", "logsumexp")
SCANS = ("cumsum", "cumprod", "cummax", "cummin", "sort", "flip")
MAKERS = ("zeros", "full", "iota")
_WEAK = ""
"""The dtype of plain numbers, which take that of what they meet."""


class Formulas:
    """Evaluates formulas within one block."""

    def __init__(self, scope: Scope, uses: Uses, in_piece: bool) -> None:
        self.scope, self.uses, self.in_piece = scope, uses, in_piece
        self.summed = False
        """True once a dot or a sum has been part of the formula."""

    def value(self, node: ast.expr) -> Value:
        """What a formula gives."""
        make: dict[type[ast.expr], Callable[..., Value]] = {
            ast.Constant: self._constant,
            ast.Name: self._name,
            ast.UnaryOp: lambda n: self.value(n.operand),
            ast.BinOp: lambda n: self._joined(n, [n.left, n.right]),
            ast.BoolOp: lambda n: self._joined(n, n.values, "bool"),
            ast.Compare: lambda n: self._joined(n, [n.left, *n.comparators], "bool"),
            ast.Subscript: self._indexed,
            ast.Attribute: self._attribute,
            ast.Call: self._call,
        }
        found = make.get(type(node))
        if found is None:
            raise Wrong(node, f"{ast.unparse(node)[:40]} is no formula of a sketch: see the list of operations")
        return found(node)

    def _constant(self, node: ast.Constant) -> Value:
        if isinstance(node.value, (int, float)):
            return Value((), _WEAK, constant=True)
        raise Wrong(node, f"{node.value!r} is no number")

    def _name(self, node: ast.Name) -> Value:
        found = self.scope.find(node.id)
        if isinstance(found, Value):
            return found
        if isinstance(found, Symbol) or (found is None and node.id in CONSTANTS):
            return Value((), _WEAK, constant=True)
        if isinstance(found, Tensor):
            raise Wrong(node, f"{node.id} lies in far: load it first, load({node.id}[...], near) or own")
        hint = nearest(node.id, [*self.scope.names(), *CONSTANTS], "assign to it first, in this block or around it")
        raise Wrong(node, f"{node.id} is not defined: {hint}")

    def _joined(self, node: ast.expr, parts: list[ast.expr], dtype: str | None = None) -> Value:
        """An elementwise result: shapes are broadcast, the widest dtype wins."""
        values = [self.value(part) for part in parts]
        shape: Shape | None = ()
        for value in values:
            if value.shape is None:
                return UNKNOWN
            shape = broadcast(shape or (), value.shape)
            if shape is None:
                listed = " and ".join(shown(v.shape or ()) for v in values)
                raise Wrong(
                    node,
                    f"shapes {listed} do not match: dimensions are equal or 1, from the right; v[:, None] adds one",
                )
        kinds = [value.dtype for value in values if value.dtype]
        widest = min(kinds, key=DTYPES.index) if kinds else _WEAK
        return Value(shape, dtype or widest, constant=all(v.constant for v in values))

    def _attribute(self, node: ast.Attribute) -> Value:
        value = self.value(node.value)
        if node.attr != "T":
            raise Wrong(node, f".{node.attr} is not known: only .T, which swaps the last two dimensions")
        return self._swapped(node, value)

    def _swapped(self, node: ast.expr, value: Value) -> Value:
        if value.shape is not None and len(value.shape) < 2:
            raise Wrong(node, f"{shown(value.shape)} has no two dimensions to swap")
        shape = (*value.shape[:-2], value.shape[-1], value.shape[-2]) if value.shape is not None else None
        return Value(shape, value.dtype)

    def _indexed(self, node: ast.Subscript) -> Value:
        """``v[:, None]`` and parts of a value that lies in near or own."""
        if isinstance(node.value, ast.Name) and isinstance(self.scope.find(node.value.id), Tensor):
            raise Wrong(
                node, f"{node.value.id} lies in far: load it first, load({ast.unparse(node)[:40]}, near) or own"
            )
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        added = [place for place, p in enumerate(parts) if isinstance(p, ast.Constant) and p.value is None]
        if not added and isinstance(node.value, ast.Name):
            _, thing, shape, _ = select(node, self.scope, self.value)
            return Value(shape if thing.shape is not None else None, thing.dtype)
        value = self.value(node.value)
        if value.shape is None:
            return UNKNOWN
        whole = all(isinstance(p, ast.Slice) and p.lower is p.upper is p.step is None for p in parts if not _none(p))
        if not whole or len(parts) - len(added) != len(value.shape):
            raise Wrong(node, f"the value is {shown(value.shape)}: write ':' for each dimension and None for a new one")
        left = iter(value.shape)
        return Value(tuple(ONE if _none(p) else next(left) for p in parts), value.dtype)

    def _call(self, node: ast.Call) -> Value:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name == "load":
            return load(node, self.scope, self.value, self.uses, self.in_piece)
        if name in REDUCTIONS and (len(node.args) == 1 or name not in ("max", "min")):
            return self._reduced(node, name)
        if name in (*ELEMENTWISE, "max", "min"):
            if not node.args or node.keywords:
                raise Wrong(node, f"{name} takes values only, elementwise")
            return self._joined(node, node.args)
        if name in SCANS:
            self._axes(node, value := self._only(node, name))
            return value
        if name == "dot":
            return self._dot(node)
        if name in MAKERS:
            return self._made(node, name)
        if name in ("cast", "reshape", "transpose"):
            return self._changed(node, name)
        known = [*ELEMENTWISE, *REDUCTIONS, *SCANS, *MAKERS, "load", "dot", "cast", "reshape", "transpose"]
        hint = nearest(name, known, "use the operations of the list, or write it out")
        raise Wrong(node, f"{name or ast.unparse(node.func)} is no operation of a sketch: {hint}")

    def _only(self, node: ast.Call, name: str) -> Value:
        if len(node.args) != 1:
            raise Wrong(node, f"write {name}(value, axis=N)")
        return self.value(node.args[0])

    def _axes(self, node: ast.Call, value: Value) -> tuple[set[int], bool]:
        """The dimensions that ``axis=`` names, counted from 0, and whether they are kept with length 1."""
        words = {keyword.arg: keyword.value for keyword in node.keywords}
        if "axis" not in words or set(words) - {"axis", "keep"}:
            raise Wrong(node, "say over which dimension: axis=N (keep=True keeps it with length 1)")
        try:
            given = ast.literal_eval(words["axis"])
        except ValueError:
            raise Wrong(words["axis"], "axis is a number, or several in parentheses") from None
        axes = set(given if isinstance(given, tuple) else (given,))
        rank = len(value.shape) if value.shape is not None else None
        if rank is not None and not all(type(a) is int and -rank <= a < rank for a in axes):
            raise Wrong(words["axis"], f"the value is {shown(value.shape or ())}: axis is from 0 to {rank - 1}")
        return {a % rank for a in axes} if rank else set(), "keep" in words

    def _reduced(self, node: ast.Call, name: str) -> Value:
        value = self._only(node, name)
        axes, keep = self._axes(node, value)
        self.summed = self.summed or name in ("sum", "mean", "prod")
        if value.shape is None:
            return UNKNOWN
        left = tuple(ONE if d in axes else s for d, s in enumerate(value.shape) if keep or d not in axes)
        return Value(left, "i32" if name.startswith("arg") else value.dtype)

    def _dot(self, node: ast.Call) -> Value:
        if len(node.args) != 2 or node.keywords:
            raise Wrong(node, "write dot(a, b): a [..., m, k] with b [..., k, n] gives [..., m, n]")
        a, b = (self.value(argument) for argument in node.args)
        self.summed = True
        if a.shape is None or b.shape is None:
            return UNKNOWN
        fits = len(a.shape) > 1 and len(b.shape) > 1 and a.shape[-1] == b.shape[-2]
        batch = broadcast(a.shape[:-2], b.shape[:-2]) if fits else None
        if batch is None:
            raise Wrong(
                node,
                f"dot of {shown(a.shape)} and {shown(b.shape)} does not fit: write dot(a [..., m, k], b [..., k, n])",
            )
        return Value((*batch, a.shape[-2], b.shape[-1]), "f32" if a.dtype in ("f16", "bf16", "f8") else a.dtype)

    def _made(self, node: ast.Call, name: str) -> Value:
        """``zeros(TM, TN, f32)``, ``full(TM, f32, value=-inf)``, ``iota(TN)``; ``near`` at the end for near memory."""
        words = {keyword.arg: keyword.value for keyword in node.keywords}
        if set(words) != ({"value"} if name == "full" else set()):
            raise Wrong(node, f"{name} takes {'value=' if name == 'full' else 'no keyword'}: {name}(TM, TN, f32)")
        if "value" in words:
            self.value(words["value"])
        dtype, level, dimensions = "i32" if name == "iota" else "", "own", []
        for argument in node.args:
            if isinstance(argument, ast.Name) and argument.id in DTYPES:
                dtype = argument.id
            elif isinstance(argument, ast.Name) and argument.id in LEVELS:
                level = argument.id
            else:
                dimensions.append(size(argument, self.scope))
        if not dtype:
            raise Wrong(node, f"say in which type: {name}(..., f32)")
        if level == "far":
            raise Wrong(node, "far memory is declared at the top: NAME: scratch[..., f32]")
        if not self.in_piece:
            raise Wrong(node, "near and own belong to a piece of work: make it inside a loop 'for i in each(...)'")
        return Value(tuple(dimensions), dtype, level)

    def _changed(self, node: ast.Call, name: str) -> Value:
        if not node.args or node.keywords:
            raise Wrong(node, "write cast(v, f32), reshape(v, A, B) or transpose(v)")
        value, rest = self.value(node.args[0]), node.args[1:]
        if name == "transpose":
            return self._swapped(node, value)
        if name == "cast":
            if len(rest) != 1 or not isinstance(rest[0], ast.Name) or rest[0].id not in DTYPES:
                raise Wrong(node, f"write cast(v, TYPE) with one of {', '.join(DTYPES)}")
            return Value(value.shape, rest[0].id, constant=value.constant)
        shape = tuple(size(argument, self.scope) for argument in rest)
        if value.shape is not None and _product(shape) != _product(value.shape):
            raise Wrong(
                node, f"{shown(value.shape)} cannot become {shown(shape)}: they hold different numbers of elements"
            )
        return Value(shape, value.dtype)


def _none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _product(shape: Shape) -> Size:
    made = ONE
    for part in shape:
        made = made * part
    return made
