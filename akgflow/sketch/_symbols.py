"""Sizes as polynomials over symbols, so that ``i + TM - i`` is known to be ``TM``; and what a name can stand for."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

LEVELS = {"far": 0, "near": 1, "own": 2}
"""Memory levels, the slowest first."""
DTYPES = ("f64", "f32", "bf16", "f16", "f8", "i64", "i32", "i16", "i8", "u8", "bool")
"""From the widest to the narrowest within a kind; floating point before integers."""


@dataclass(frozen=True)
class Size:
    """A polynomial with whole coefficients: products of symbols (sorted, () is the constant) and their factors."""

    terms: tuple[tuple[tuple[str, ...], int], ...]

    @classmethod
    def of(cls, terms: Mapping[tuple[str, ...], int]) -> Size:
        """The polynomial of these terms; zeros vanish."""
        return cls(tuple(sorted((product, factor) for product, factor in terms.items() if factor)))

    @classmethod
    def symbol(cls, name: str) -> Size:
        """A symbol, or an expression that is not looked into, by its text."""
        return cls((((name,), 1),))

    @classmethod
    def number(cls, value: int) -> Size:
        """A constant."""
        return cls.of({(): value})

    @property
    def constant(self) -> int | None:
        """Its value, where it is a number."""
        if not self.terms:
            return 0
        return self.terms[0][1] if len(self.terms) == 1 and self.terms[0][0] == () else None

    def __add__(self, other: Size) -> Size:
        total = dict(self.terms)
        for product, factor in other.terms:
            total[product] = total.get(product, 0) + factor
        return Size.of(total)

    def __mul__(self, other: Size) -> Size:
        total: dict[tuple[str, ...], int] = {}
        for a, x in self.terms:
            for b, y in other.terms:
                product = tuple(sorted((*a, *b)))
                total[product] = total.get(product, 0) + x * y
        return Size.of(total)

    def __sub__(self, other: Size) -> Size:
        return self + other * Size.number(-1)

    def __str__(self) -> str:
        if not self.terms:
            return "0"
        parts = ["*".join(([str(f)] if f != 1 or not p else []) + list(p)) for p, f in self.terms]
        return " + ".join(parts).replace("+ -", "- ")


ONE = Size.number(1)
Shape = tuple[Size, ...]


@dataclass(frozen=True)
class Symbol:
    """A whole number known by name: a ``size``, a ``tile``, or the ``index`` of a loop, which stays below ``stop``."""

    kind: Literal["size", "tile", "index"]
    stop: Size | None = None


@dataclass(frozen=True)
class Tensor:
    """A declared tensor, in far memory."""

    role: str
    shape: Shape
    dtype: str


@dataclass(frozen=True)
class Value:
    """Something loaded or computed. ``shape`` is None where an error before it has left that unknown."""

    shape: Shape | None
    dtype: str
    level: str = "own"
    constant: bool = False


UNKNOWN = Value(None, "f32")
Thing = Symbol | Tensor | Value


class Scope:
    """Names by block: what a loop's body makes is gone after it."""

    def __init__(self, outer: Scope | None = None) -> None:
        self.outer = outer
        self.own: dict[str, Thing] = {}

    def find(self, name: str) -> Thing | None:
        """What a name stands for here."""
        return self.own[name] if name in self.own else self.outer.find(name) if self.outer else None

    def owner(self, name: str) -> Scope | None:
        """The block that made a name."""
        return self if name in self.own else self.outer.owner(name) if self.outer else None

    def names(self) -> Iterator[str]:
        """All names that can be used here."""
        yield from self.own
        if self.outer:
            yield from self.outer.names()


def size_of(node: ast.expr, atom: Callable[[ast.Name], Size]) -> Size | None:
    """An index expression as a polynomial; None where it is none. ``atom`` knows the names."""
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return Size.number(node.value)
    if isinstance(node, ast.Name):
        return atom(node)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = size_of(node.operand, atom)
        return Size.number(0) - inner if inner else None
    if isinstance(node, ast.BinOp):
        left, right = size_of(node.left, atom), size_of(node.right, atom)
        if left is None or right is None:
            return None
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub):
            return left - right
        if isinstance(node.op, ast.Mult):
            return left * right
        known = isinstance(node.op, (ast.FloorDiv, ast.Mod, ast.Div))
        return Size.symbol(ast.unparse(node)) if known else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        inside = [size_of(argument, atom) for argument in node.args]
        known = node.func.id in ("ceil", "min", "max", "next_pow2") and not node.keywords
        return Size.symbol(ast.unparse(node)) if known and inside and None not in inside else None
    return None


def broadcast(a: Shape, b: Shape) -> Shape | None:
    """The shape of an elementwise result, aligned at the right as PyTorch does it; None where they do not fit."""
    made: list[Size] = []
    for x, y in zip_longest(reversed(a), reversed(b), fillvalue=ONE):
        if x != y and ONE not in (x, y):
            return None
        made.append(y if x == ONE else x)
    return tuple(reversed(made))


def shown(shape: Shape) -> str:
    """A shape for people."""
    return "[" + ", ".join(map(str, shape)) + "]"
