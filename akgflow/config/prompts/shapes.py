"""What is known of the values in a prompt before it is rendered, from the types of the prompt variables."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Any

from akgflow.config.prompts.context import PromptContext, TargetView

_CHANGES = frozenset({"update", "pop", "popitem", "clear", "setdefault"})
_LISTS = frozenset({"split", "rsplit", "splitlines", "partition", "rpartition"})
_NUMBERS = frozenset({"count", "find", "rfind", "index", "rindex"})


@dataclass(frozen=True)
class Unknown:
    """Nothing is known; everything is allowed."""


@dataclass(frozen=True)
class Scalar:
    """A text, a number or a truth value."""

    kind: type


@dataclass(frozen=True)
class Record:
    """A dataclass: its fields, properties and methods are its attributes."""

    kind: type


@dataclass(frozen=True)
class Items:
    """A sequence of equal things."""

    item: Shape


@dataclass(frozen=True)
class Pair:
    """A name and a value, as ``.items()`` gives them."""

    value: Shape


@dataclass(frozen=True)
class Table:
    """A mapping. ``keys`` are those that it can have; None where that is not known before a run."""

    value: Shape
    keys: frozenset[str] | None = None


@dataclass(frozen=True)
class Method:
    """A method before it is called."""

    owner: Shape
    name: str


Shape = Unknown | Scalar | Record | Items | Pair | Table | Method
UNKNOWN, TEXT = Unknown(), Scalar(str)


def variables() -> Mapping[str, Shape]:
    """The prompt variables."""
    return _fields(PromptContext)


@cache
def _fields(kind: type) -> Mapping[str, Shape]:
    hints = typing.get_type_hints(kind)
    return {field.name: _shape(hints[field.name]) for field in fields(kind)}


def _shape(hint: Any) -> Shape:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        # What may be None is asked for before it is used; a rendering shows where it is not.
        some = {_shape(one) for one in arguments if one is not type(None)}
        return some.pop() if len(some) == 1 else UNKNOWN
    if origin is tuple:
        return Items(_shape(arguments[0]))
    if origin is not None and issubclass(origin, Mapping):
        return Table(_shape(arguments[1]))
    if isinstance(hint, type) and is_dataclass(hint):
        return Record(hint)
    return Scalar(hint) if hint in (str, int, float, bool) else UNKNOWN


class NoAttribute(Exception):
    """A value has no such attribute; ``options`` are those that it has."""

    def __init__(self, options: list[str]) -> None:
        self.options = options
        super().__init__()


def attribute(shape: Shape, name: str, facts: frozenset[str]) -> Shape:
    """The attribute or entry ``name``; raises `NoAttribute`. ``facts`` are the names that a target's facts may have."""
    if isinstance(shape, Record):
        known = _fields(shape.kind)
        if shape.kind is TargetView and name == "facts":
            return Table(UNKNOWN, facts)
        if name not in known and not _public(shape.kind, name):
            raise NoAttribute([*known])
        return known.get(name, UNKNOWN)
    if isinstance(shape, Table):
        if _public(dict, name) and name not in _CHANGES:
            return Method(shape, name)
        if shape.keys is not None and name not in shape.keys:
            raise NoAttribute(sorted(shape.keys))
        return shape.value
    owner = {Items: tuple, Pair: tuple}.get(type(shape)) or (shape.kind if isinstance(shape, Scalar) else None)
    if owner is not None:
        if not _public(owner, name):
            raise NoAttribute([one for one in dir(owner) if not one.startswith("_")])
        return Method(shape, name)
    return UNKNOWN


def called(shape: Shape) -> Shape:
    """What a call gives."""
    if not isinstance(shape, Method):
        return UNKNOWN
    if isinstance(shape.owner, Table):
        value = shape.owner.value
        return {"items": Items(Pair(value)), "keys": Items(TEXT), "values": Items(value)}.get(shape.name, UNKNOWN)
    if shape.owner != TEXT:
        return UNKNOWN
    if shape.name in _LISTS:
        return Items(TEXT)
    if shape.name in _NUMBERS:
        return Scalar(int)
    return Scalar(bool) if shape.name.startswith(("is", "starts", "ends")) else TEXT


def element(shape: Shape) -> Shape:
    """What a loop over the value gives: its items, a mapping's keys, a text's characters."""
    if isinstance(shape, Items):
        return shape.item
    return TEXT if isinstance(shape, Table) or shape == TEXT else UNKNOWN


def _public(kind: type, name: str) -> bool:
    return not name.startswith("_") and hasattr(kind, name)
