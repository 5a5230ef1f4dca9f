"""Loads, stores and what an index selects: shapes, levels, and whether it can pass the end."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field

from akgflow.sketch._findings import Wrong, nearest
from akgflow.sketch._symbols import LEVELS, ONE, Scope, Shape, Size, Symbol, Tensor, Value, shown, size_of

Evaluate = Callable[[ast.expr], Value]


@dataclass
class Uses:
    """What has been read and written so far, by the names of declared tensors."""

    loaded: set[str] = field(default_factory=set)
    stored: set[str] = field(default_factory=set)


def size(node: ast.expr, scope: Scope, what: str = "size") -> Size:
    """An index expression over sizes, tiles and loop indices."""

    def atom(name: ast.Name) -> Size:
        found = scope.find(name.id)
        if found is None:
            known = [n for n in scope.names() if isinstance(scope.find(n), Symbol)]
            raise Wrong(
                name,
                f"{name.id} is not defined: {nearest(name.id, known, 'declare it with sizes(...) or tiles(...)')}",
            )
        if isinstance(found, Tensor) or (isinstance(found, Value) and found.shape not in ((), None)):
            raise Wrong(name, f"{name.id} is not a number: a {what} is made of sizes, tiles and loop indices")
        return Size.symbol(name.id)

    made = size_of(node, atom)
    if made is None:
        raise Wrong(
            node,
            f"{ast.unparse(node)} is no {what}: use whole numbers, sizes, tiles, loop indices, + - * // %, ceil(a / b)",
        )
    return made


def select(node: ast.expr, scope: Scope, evaluate: Evaluate) -> tuple[str, Tensor | Value, Shape, bool]:
    """What ``x`` or ``x[i:i+T, :]`` names: the name, the thing, the selected shape, and whether it can pass the end."""
    target = node.value if isinstance(node, ast.Subscript) else node
    if not isinstance(target, ast.Name):
        raise Wrong(node, "write NAME[...] with the name of a declared tensor")
    thing = scope.find(target.id)
    if thing is None:
        known = [n for n in scope.names() if isinstance(scope.find(n), Tensor)]
        hint = nearest(target.id, known, f"declare it at the top, {target.id}: input[..., f32]")
        raise Wrong(target, f"the tensor {target.id} is not declared: {hint}")
    if isinstance(thing, Symbol):
        raise Wrong(target, f"{target.id} is a {thing.kind}, not a tensor: use it in an index or a formula")
    if thing.shape is None:
        return target.id, thing, (), False
    if not isinstance(node, ast.Subscript):
        return target.id, thing, thing.shape, False
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if len(parts) != len(thing.shape):
        raise Wrong(
            node, f"{target.id} is {shown(thing.shape)}: give {len(thing.shape)} indices, ':' for a whole dimension"
        )
    chosen: list[Size] = []
    passes = False
    for part, whole in zip(parts, thing.shape, strict=True):
        made, may_pass = _one(part, whole, scope, evaluate)
        chosen += made
        passes = passes or may_pass
    return target.id, thing, tuple(chosen), passes


def _one(part: ast.expr, whole: Size, scope: Scope, evaluate: Evaluate) -> tuple[Shape, bool]:
    """The dimensions that one index leaves, and whether it can pass the end of the dimension."""
    if isinstance(part, ast.Slice):
        if part.lower is None and part.upper is None:
            return (whole,), False
        start = size(part.lower, scope, "index") if part.lower else Size.number(0)
        stop = size(part.upper, scope, "index") if part.upper else whole
        length = _length(part, stop - start, size(part.step, scope, "index") if part.step else ONE)
        inside = (start.constant == 0 and length == whole) or (length == ONE and _below(part.lower, whole, scope))
        return (length,), not inside
    if isinstance(part, ast.Name) and isinstance(found := scope.find(part.id), Value) and found.shape != ():
        return found.shape or (), False  # a gather: its values are data, and the reference says that they are inside
    if not isinstance(part, ast.Name | ast.Constant | ast.BinOp | ast.Call):
        return evaluate(part).shape or (), False
    made = size(part, scope, "index")
    return (), not (made.constant is not None or _below(part, whole, scope))


def _length(part: ast.Slice, span: Size, step: Size) -> Size:
    """The elements of a slice: start:start+LENGTH, or start:start+LENGTH*s:s."""
    if step == ONE:
        if span.constant is not None and span.constant <= 0:
            raise Wrong(part.lower or part.upper or ast.Pass(), "a slice is start:start+LENGTH with a LENGTH above 0")
        return span
    by = step.terms[0][0] if len(step.terms) == 1 else ()
    made: dict[tuple[str, ...], int] = {}
    for product, factor in span.terms:
        rest, number = list(product), step.terms[0][1] if step.terms else 1
        if len(step.terms) != 1 or factor % number or any(name not in rest for name in by):
            raise Wrong(part.upper or ast.Pass(), "a slice with a step is written start:start+LENGTH*step:step")
        for name in by:
            rest.remove(name)
        made[tuple(rest)] = factor // number
    return Size.of(made)


def _below(node: ast.expr | None, whole: Size, scope: Scope) -> bool:
    """True when it is a loop's index that stays below the dimension."""
    found = scope.find(node.id) if isinstance(node, ast.Name) else None
    return isinstance(found, Symbol) and found.stop == whole


def load(call: ast.Call, scope: Scope, evaluate: Evaluate, uses: Uses, in_piece: bool) -> Value:
    """``load(x[...], near, edge=0)``."""
    if len(call.args) != 2 or not isinstance(call.args[1], ast.Name) or call.args[1].id not in LEVELS:
        raise Wrong(call, "write load(x[...], near) or load(x[...], own), with edge=VALUE where it can pass the end")
    name, thing, shape, passes = select(call.args[0], scope, evaluate)
    if isinstance(thing, Tensor):
        uses.loaded.add(name)
    level, origin = call.args[1].id, "far" if isinstance(thing, Tensor) else thing.level
    if not in_piece:
        raise Wrong(call, "near and own belong to a piece of work: load inside a loop 'for i in each(...)'")
    if LEVELS[level] <= LEVELS[origin]:
        raise Wrong(
            call.args[1], f"{name} lies in {origin}: load it into {'own' if origin == 'near' else 'near or own'}"
        )
    edge = {keyword.arg: keyword.value for keyword in call.keywords}
    if set(edge) - {"edge"}:
        raise Wrong(call, "load takes one keyword, edge=VALUE")
    if passes and "edge" not in edge:
        raise Wrong(
            call.args[0],
            f"this can pass the end of {name} {shown(thing.shape or ())}: add edge=VALUE with what is read there, "
            "or edge=none where it cannot happen",
        )
    if "edge" in edge and not (isinstance(edge["edge"], ast.Name) and edge["edge"].id == "none"):
        evaluate(edge["edge"])
    return Value(shape if thing.shape is not None else None, thing.dtype, level)


def store(call: ast.Call, scope: Scope, evaluate: Evaluate, uses: Uses, in_piece: bool) -> None:
    """``store(out[...], value)``; what lies outside is not written."""
    word = call.func.id if isinstance(call.func, ast.Name) else "store"
    if len(call.args) != 2 or call.keywords:
        raise Wrong(call, f"write {word}(out[...], value); what lies past the end is not written")
    name, thing, shape, _ = select(call.args[0], scope, evaluate)
    uses.stored.add(name)
    value = evaluate(call.args[1])
    if not in_piece:
        raise Wrong(call, f"{word} belongs into a piece of work: put it inside a loop 'for i in each(...)'")
    if isinstance(thing, Value):
        if thing.level != "near":
            raise Wrong(call.args[0], f"{name} lies in own: assign to it instead, {name} = ...")
    elif thing.role not in ("output", "scratch", "state"):
        raise Wrong(call.args[0], f"{name} is an {thing.role} and is left as it is: store into an output or a scratch")
    if value.shape is None or thing.shape is None or value.shape == () or value.shape == shape:
        return
    raise Wrong(call, f"{ast.unparse(call.args[0])} takes {shown(shape)} and the value is {shown(value.shape)}")
