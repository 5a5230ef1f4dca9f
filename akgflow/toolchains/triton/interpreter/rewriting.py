"""Kernels as Python functions that mean what the compiler makes of them.

Python and Triton's language differ where tensors meet Python's own statements: ``and`` of two tensors, a number that is
assigned and has a ``dtype`` from then on, ``range`` whose counter is a tensor, ``min`` of two tensors, a builtin under
another name, an ``assert`` that only a debug build checks. The interpreter of Triton 3.9 rewrites assignments and
chains of comparisons, and nothing else; it also forgets what a kernel made in a function took from that function.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

RUNTIME = "__akgflow_language__"
"""The name under which rewritten functions find their `Language`."""
_OUTER = "__akgflow_closure__"


class _Rewriter(ast.NodeTransformer):
    """Replaces statements whose meaning differs by calls of `Language`'s methods."""

    def _runtime(self, method: str, *args: ast.expr, at: ast.AST) -> ast.Call:
        name = ast.Attribute(ast.Name(RUNTIME, ast.Load()), method, ast.Load())
        call = ast.Call(name, list(args), [])
        return ast.fix_missing_locations(ast.copy_location(call, at))

    def _delayed(self, node: ast.expr) -> ast.Lambda:
        nothing = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
        return ast.copy_location(ast.Lambda(nothing, self.visit(node)), node)

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        node.value = self._runtime("assigned", self.visit(node.value), at=node.value)
        node.targets = [self.visit(target) for target in node.targets]
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        old = ast.parse(ast.unparse(node.target), mode="eval").body
        value = ast.copy_location(ast.BinOp(old, node.op, node.value), node)
        assign = ast.copy_location(ast.Assign([node.target], value), node)
        return self.visit_Assign(ast.fix_missing_locations(assign))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is None:
            return ast.copy_location(ast.Pass(), node)
        method = "constant" if "constexpr" in ast.unparse(node.annotation) else "assigned"
        value = self._runtime(method, self.visit(node.value), at=node.value)
        return ast.copy_location(ast.Assign([node.target], value), node)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        method = "all_of" if isinstance(node.op, ast.And) else "any_of"
        return self._runtime(method, *map(self._delayed, node.values), at=node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        operand = self.visit(node.operand)
        if isinstance(node.op, ast.Not):
            return self._runtime("negated", operand, at=node)
        node.operand = operand
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        if len(node.ops) == 1:
            return self.generic_visit(node)
        sides = [node.left, *node.comparators]
        pairs = zip(sides, node.ops, sides[1:], strict=False)
        parts: list[ast.expr] = [ast.copy_location(ast.Compare(a, [op], [b]), node) for a, op, b in pairs]
        return self.visit_BoolOp(ast.copy_location(ast.BoolOp(ast.And(), parts), node))

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        arguments = [self.visit(node.test), *([self.visit(node.msg)] if node.msg else [])]
        return ast.copy_location(ast.Expr(self._runtime("assertion", *arguments, at=node)), node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        function = ast.Attribute(ast.Name(RUNTIME, ast.Load()), "call", ast.Load())
        call = ast.Call(function, [node.func, *node.args], node.keywords)
        return ast.fix_missing_locations(ast.copy_location(call, node))

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        if node.attr == "value" and isinstance(node.ctx, ast.Load):
            return self._runtime("value", node.value, at=node)
        return node


def rewritten(function: Any) -> Callable[..., Any]:
    """The Python function for a ``JITFunction``; lines in its tracebacks are those of the file."""
    original: FunctionType = function.fn
    tree = ast.parse(textwrap.dedent(function.src))
    definition = tree.body[0]
    assert isinstance(definition, ast.FunctionDef), "a JITFunction's source is one function"
    _strip(definition)
    definition.body = [_Rewriter().visit(statement) for statement in definition.body]
    free = original.__code__.co_freevars
    module = ast.Module([_enclosed(definition, free) if free else definition], [])
    ast.increment_lineno(ast.fix_missing_locations(module), definition_line(function) - 1)
    code = compile(module, original.__code__.co_filename, "exec")
    inner = _code_named(code, definition.name)
    cells = dict(zip(free, original.__closure__ or (), strict=True))
    closure = tuple(cells[name] for name in inner.co_freevars)
    made = FunctionType(inner, original.__globals__, original.__name__, original.__defaults__, closure)
    made.__kwdefaults__ = original.__kwdefaults__
    return made


def definition_line(function: Any) -> int:
    """The line of a ``JITFunction``'s ``def`` in its file; decorators stand before it."""
    raw = function.raw_src
    decorators = next((i for i, text in enumerate(raw) if text.lstrip().startswith("def ")), 0)
    return int(function.starting_line_number) + decorators


def _strip(definition: ast.FunctionDef) -> None:
    """Drop decorators, annotations and defaults: the original function's are taken over as values."""
    definition.decorator_list, definition.returns = [], None
    arguments = definition.args
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg):
        if argument is not None:
            argument.annotation = None
    nothing = [ast.Constant(None) for _ in arguments.defaults]
    arguments.defaults, arguments.kw_defaults = list(nothing), [None for _ in arguments.kw_defaults]


def _enclosed(definition: ast.FunctionDef, free: tuple[str, ...]) -> ast.FunctionDef:
    """A function around the definition whose parameters are the names that it takes from outside."""
    names = ast.arguments(posonlyargs=[], args=[ast.arg(n) for n in free], kwonlyargs=[], kw_defaults=[], defaults=[])
    outer = ast.parse(f"def {_OUTER}(): pass").body[0]
    assert isinstance(outer, ast.FunctionDef)
    outer.args, outer.body = names, [definition]
    return outer


def _code_named(code: CodeType, name: str) -> CodeType:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            return constant if constant.co_name == name else _code_named(constant, name)
    raise ValueError(f"no function {name} in its own source")
