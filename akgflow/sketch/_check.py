"""The checker: declarations, loops and statements of a sketch, all findings at once."""

from __future__ import annotations

import ast
import warnings

from akgflow.base.text import lines
from akgflow.sketch._access import Uses, size, store
from akgflow.sketch._findings import Finding, Wrong, at, nearest
from akgflow.sketch._symbols import DTYPES, UNKNOWN, Scope, Size, Symbol, Tensor, Value, shown
from akgflow.sketch._values import Formulas

MAX_LINES = 80
MAX_HINTS = 6
MOST_FINDINGS = 8
ROLES = ("input", "parameter", "state", "output", "scratch")
_NARROW = ("f16", "bf16", "f8", "i8", "u8")


def check(text: str) -> tuple[Finding, ...]:
    """What does not fit the form, in the order of the lines, at most `MOST_FINDINGS`; empty when all is well."""
    count = len(lines(text.strip()))
    if count > MAX_LINES:
        return (
            Finding(MAX_LINES + 1, 1, f"a sketch has at most {MAX_LINES} lines and this one has {count}: shorten it"),
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except SyntaxError as error:
        return (
            Finding(error.lineno or 1, error.offset or 1, f"this cannot be read ({error.msg}): write it as Python"),
        )
    except (ValueError, RecursionError, MemoryError) as error:
        return (Finding(1, 1, f"this cannot be read ({error or type(error).__name__}): write it as Python"),)
    checker = _Checker()
    try:
        checker.top(tree)
    except RecursionError:
        return (Finding(1, 1, "this is nested too deeply: flatten it"),)
    return tuple(sorted(set(checker.findings))[:MOST_FINDINGS])


class _Checker:
    """One pass over a sketch."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.uses = Uses()
        self.hints = 0
        self.tensors: dict[str, tuple[Tensor, ast.AST]] = {}

    def top(self, tree: ast.Module) -> None:
        """The whole sketch."""
        scope = Scope()
        self.block(tree.body, scope, in_piece=False, top=True)
        for name, (tensor, node) in self.tensors.items():
            if tensor.role == "output" and name not in self.uses.stored:
                self.findings.append(at(node, f"the output {name} is never stored: add store({name}[...], value)"))
            if tensor.role in ("input", "parameter") and name not in self.uses.loaded:
                self.findings.append(at(node, f"{name} is never loaded: load it, or take its declaration out"))
            if tensor.role == "scratch" and name in self.uses.loaded - self.uses.stored:
                self.findings.append(at(node, f"the scratch {name} is loaded and never stored: store it first"))
        if not any(tensor.role == "output" for tensor, _ in self.tensors.values()):
            self.findings.append(Finding(1, 1, "no output is declared: add NAME: output[..., f32] at the top"))

    def block(self, body: list[ast.stmt], scope: Scope, *, in_piece: bool, top: bool = False) -> None:
        """Statements of one block; each one that is wrong gives one finding."""
        for node in body:
            try:
                self.statement(node, scope, in_piece, top)
            except Wrong as wrong:
                self.findings.append(wrong.finding)
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                    # What depends on it is not wrong for that reason.
                    scope.own.setdefault(node.targets[0].id, UNKNOWN)

    def statement(self, node: ast.stmt, scope: Scope, in_piece: bool, top: bool) -> None:
        """One statement."""
        if isinstance(node, ast.AnnAssign):
            self._declare(node, scope, top)
        elif isinstance(node, ast.Assign):
            self._assign(node, scope, in_piece)
        elif isinstance(node, ast.AugAssign):
            self._add(node, scope, in_piece)
        elif isinstance(node, ast.For):
            self._loop(node, scope, in_piece)
        elif isinstance(node, ast.If):
            Formulas(scope, self.uses, in_piece).value(node.test)
            self.block(node.body, Scope(scope), in_piece=in_piece)
            self.block(node.orelse, Scope(scope), in_piece=in_piece)
        elif isinstance(node, ast.Expr):
            self._command(node.value, scope, in_piece, top)
        elif isinstance(node, ast.While):
            raise Wrong(node, "a loop needs a bound: write 'for k in steps(STOP, STEP)'")
        elif not isinstance(node, ast.Pass):
            what = type(node).__name__
            raise Wrong(node, f"a sketch has no statement of this kind ({what}): declare, load, compute, store, loop")

    def _declare(self, node: ast.AnnAssign, scope: Scope, top: bool) -> None:
        """``x: input[M, K, f32]``."""
        role = node.annotation.value if isinstance(node.annotation, ast.Subscript) else node.annotation
        if not isinstance(node.target, ast.Name) or not isinstance(role, ast.Name) or node.value is not None:
            raise Wrong(node, "write NAME: ROLE[DIMENSIONS, TYPE], such as x: input[M, K, f32]")
        if role.id not in ROLES:
            raise Wrong(role, f"{role.id} is no role: {nearest(role.id, ROLES, 'use ' + ', '.join(ROLES))}")
        name = node.target.id
        if not top:
            raise Wrong(node, f"{name} is declared inside a block: declare tensors at the top")
        if scope.find(name) is not None:
            raise Wrong(node, f"{name} is defined twice: give one of them another name")
        inside = node.annotation.slice if isinstance(node.annotation, ast.Subscript) else None
        parts = inside.elts if isinstance(inside, ast.Tuple) else [inside] if inside else []
        dtype = parts[-1] if parts else None
        if not isinstance(dtype, ast.Name) or dtype.id not in DTYPES:
            raise Wrong(node, f"the type stands last, one of {', '.join(DTYPES)}: {name}: {role.id}[..., f32]")
        scope.own[name] = tensor = Tensor(role.id, tuple(self._whole(part, scope) for part in parts[:-1]), dtype.id)
        self.tensors[name] = tensor, node

    def _whole(self, node: ast.expr, scope: Scope) -> Size:
        return size(node, scope, "dimension")

    def _assign(self, node: ast.Assign, scope: Scope, in_piece: bool) -> None:
        (target, *more) = node.targets
        if more or not isinstance(target, ast.Name):
            raise Wrong(node, "assign to one name; what goes to memory is written with store(x[...], value)")
        value = Formulas(scope, self.uses, in_piece).value(node.value)
        self._bind(node, target.id, value, scope, in_piece)

    def _bind(self, node: ast.stmt, name: str, value: Value, scope: Scope, in_piece: bool) -> None:
        old = scope.find(name)
        if isinstance(old, Symbol | Tensor):
            word = old.kind if isinstance(old, Symbol) else f"{old.role} in far memory"
            raise Wrong(
                node, f"{name} is a {word}: give the value another name, or store it with store({name}[...], v)"
            )
        if not in_piece and not value.constant and value.shape is not None:
            raise Wrong(node, "near and own belong to a piece of work: compute inside a loop 'for i in each(...)'")
        if old is None:
            scope.own[name] = value
        elif old.shape is None:
            (scope.owner(name) or scope).own[name] = value
        elif value.shape is not None and value.shape not in (old.shape, ()):
            raise Wrong(
                node,
                f"{name} is {shown(old.shape)} and the new value {shown(value.shape)}: keep the shape, or a new name",
            )

    def _add(self, node: ast.AugAssign, scope: Scope, in_piece: bool) -> None:
        """``acc += dot(a, b)``; sums are not kept in a narrow type."""
        if not isinstance(node.target, ast.Name):
            raise Wrong(
                node, "change one name; memory is written with store(x[...], value) or atomic_add(x[...], value)"
            )
        name, formulas = node.target.id, Formulas(scope, self.uses, in_piece)
        old = formulas.value(ast.copy_location(ast.Name(name, ast.Load()), node.target))
        value = formulas.value(node.value)
        if formulas.summed and old.dtype in _NARROW:
            raise Wrong(node, f"the sum {name} is kept in {old.dtype}: make it with f32, or with i32 for integers")
        both = ast.copy_location(ast.BinOp(node.target, node.op, node.value), node)
        made = value if old.shape is None else Formulas(scope, self.uses, in_piece).value(both)
        self._bind(node, name, made, scope, in_piece)

    def _loop(self, node: ast.For, scope: Scope, in_piece: bool) -> None:
        """``for i in each(STOP, STEP)`` for pieces of work, ``for k in steps(START, STOP, STEP)`` for a sequence."""
        call = node.iter
        kind = call.func.id if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) else ""
        inner = Scope(scope)
        try:
            if not isinstance(call, ast.Call) or kind not in ("each", "steps") or node.orelse:
                raise Wrong(call, "a loop needs a bound: 'for i in each(STOP, STEP)' or 'for k in steps(STOP, STEP)'")
            if not 1 <= len(call.args) <= 3 or call.keywords:
                raise Wrong(
                    call, f"a loop needs a bound: write {kind}(STOP), {kind}(STOP, STEP) or {kind}(START, STOP, STEP)"
                )
            bounds = [size(argument, scope, "bound") for argument in call.args]
            if not isinstance(node.target, ast.Name):
                raise Wrong(node.target, "a loop has one index: nest loops for several")
            if scope.find(node.target.id) is not None:
                raise Wrong(node.target, f"{node.target.id} is defined already: give the index another name")
            if len(bounds) > 1 and bounds[-1].constant == 0:
                raise Wrong(call.args[-1], "a step of 0 never ends: use a tile, or 1")
            stop = bounds[1] if len(bounds) == 3 else bounds[0]
            inner.own[node.target.id] = Symbol("index", stop)
        except Wrong as wrong:
            self.findings.append(wrong.finding)
            if isinstance(node.target, ast.Name) and scope.find(node.target.id) is None:
                inner.own[node.target.id] = Symbol("index")
        self.block(node.body, inner, in_piece=in_piece or kind == "each")

    def _command(self, node: ast.expr, scope: Scope, in_piece: bool, top: bool) -> None:
        """``sizes``, ``tiles``, ``hint``, ``store``, ``atomic_add``; or a text that says something."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return
        name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
        if not isinstance(node, ast.Call):
            raise Wrong(node, "this does nothing: assign it to a name, or store it")
        if name in ("store", "atomic_add"):
            store(node, scope, Formulas(scope, self.uses, in_piece).value, self.uses, in_piece)
        elif name in ("sizes", "tiles") and top:
            self._symbols(node, name, scope)
        elif name == "hint":
            self.hints += 1
            if len(node.args) != 1 or not isinstance(node.args[0], ast.Constant) or self.hints > MAX_HINTS:
                raise Wrong(node, f'write hint("one sentence"), at most {MAX_HINTS} of them')
        else:
            known = ("store", "atomic_add", "sizes", "tiles", "hint")
            hint = nearest(name, known, "assign its result to a name, or store it")
            raise Wrong(node, f"{name or 'this'} does nothing by itself: {hint}")

    def _symbols(self, node: ast.Call, name: str, scope: Scope) -> None:
        """``sizes(M, N)`` declares sizes, ``tiles(TM=64)`` tiles with their first values."""
        made: dict[str, Symbol] = {}
        if name == "sizes":
            if node.keywords or not all(isinstance(argument, ast.Name) for argument in node.args):
                raise Wrong(node, "write sizes(M, N, K): names only; they hold any value from 1 on")
            made = {a.id: Symbol("size") for a in node.args if isinstance(a, ast.Name)}
        else:
            if node.args or any(keyword.arg is None for keyword in node.keywords):
                raise Wrong(node, "write tiles(TM=64, TN=64): each with a first value")
            made = {str(keyword.arg): Symbol("tile") for keyword in node.keywords}
        for symbol, thing in made.items():
            if scope.find(symbol) is not None:
                raise Wrong(node, f"{symbol} is defined twice: give one of them another name")
            scope.own[symbol] = thing
        for keyword in node.keywords:
            first = size(keyword.value, scope, "first value").constant
            if first is not None and first < 1:
                raise Wrong(keyword.value, f"the tile {keyword.arg} starts at {first}: use 1 or more")
