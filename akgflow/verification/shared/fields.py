"""Reading data that an untrusted process sent: each reader gives a value of one type, or raises `Malformed`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

T = TypeVar("T")
Read = Callable[[Any], T]

MOST_WHOLE = (1 << 63) - 1
"""Whole numbers become sizes, strides and addresses, which are int64 in torch and in the kernel."""
MOST_DEPTH = 64
"""Of nested lists and objects: readers, and all that later prints a value, recurse."""


class Malformed(ValueError):
    """The data is not what the protocol says; the text says which part, and what is wrong with it."""


class Fields:
    """The fields of one object. Each is read once; `end` refuses those that nobody has read."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._left = dict(data)

    def has(self, name: str) -> bool:
        """True when the field is there and has not been read."""
        return name in self._left

    def take(self, name: str, read: Read[T]) -> T:
        """The field's value; raises `Malformed` where it is missing or not of its type."""
        if name not in self._left:
            raise Malformed(f"the field {name} is missing")
        try:
            return read(self._left.pop(name))
        except Malformed as error:
            raise Malformed(f"{name}: {error}") from None

    def end(self) -> None:
        """Raise `Malformed` where a field is left that the protocol does not have."""
        if self._left:
            raise Malformed(f"unknown field {brief(sorted(self._left)[0])}")


def brief(value: Any) -> str:
    """At most 80 characters of a value, for a message; its nesting must be known to be small."""
    return clean(repr(value))[:80]


def clean(text: str) -> str:
    """``text`` as valid Unicode: lone surrogates, which JSON can carry and UTF-8 cannot, are written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _wrong(value: Any, expected: str) -> Malformed:
    return Malformed(f"expected {expected}, got {type(value).__name__}")


def text(most: int) -> Read[str]:
    """Reads a string, of which at most ``most`` characters are kept."""

    def read(value: Any) -> str:
        if type(value) is not str:
            raise _wrong(value, "a string")
        return clean(value[:most])

    return read


def flag(value: Any) -> bool:
    """Reads ``true`` or ``false``."""
    if type(value) is not bool:
        raise _wrong(value, "true or false")
    return value


def whole(value: Any) -> int:
    """Reads a whole number from 0 to `MOST_WHOLE`; ``true`` is none."""
    (found,) = wholes([value])
    return found


def wholes(value: Any) -> list[int]:
    """Reads a list of whole numbers from 0 to `MOST_WHOLE`. Quick: a clock may be running."""
    if type(value) is not list:
        raise _wrong(value, "a list of whole numbers")
    if not set(map(type, value)) <= {int}:
        raise Malformed("expected whole numbers only")
    if value and not 0 <= min(value) <= max(value) <= MOST_WHOLE:
        raise Malformed("a number is out of range")
    return value


def listed(read: Read[T], most: int) -> Read[list[T]]:
    """Reads a list of at most ``most`` items, each by ``read``."""

    def read_all(value: Any) -> list[T]:
        if type(value) is not list:
            raise _wrong(value, "a list")
        if len(value) > most:
            raise Malformed(f"expected at most {most} items, got {len(value)}")
        return [read(item) for item in value]

    return read_all


def one_of(words: Collection[str]) -> Read[str]:
    """Reads one of ``words``."""

    def read(value: Any) -> str:
        if type(value) is not str or value not in words:
            raise Malformed(f"expected one of {', '.join(sorted(words))}")
        return value

    return read


def fields(value: Any) -> Fields:
    """Reads an object."""
    if type(value) is not dict:
        raise _wrong(value, "an object")
    return Fields(value)


def bounded(value: Any, depth: int = 0) -> None:
    """Raise `Malformed` where lists and objects are nested deeper than `MOST_DEPTH`."""
    if depth > MOST_DEPTH:
        raise Malformed(f"nested deeper than {MOST_DEPTH} levels")
    if type(value) is dict:
        value = value.values()
    elif type(value) is not list:
        return
    for item in value:
        if type(item) in (dict, list):
            bounded(item, depth + 1)


def tree(value: Any, depth: int = 0) -> dict[str, Any]:
    """Reads the description of a result, as `trusted_io.describer` makes it; raises `Malformed`."""
    if type(value) is not dict or len(value) != 1 or depth > MOST_DEPTH:
        raise Malformed("expected an object with one of tensor, list, dict, value, other")
    ((kind, part),) = value.items()
    if kind == "tensor":
        return {kind: _tensor(fields(part))}
    if kind == "list" and type(part) is list:
        return {kind: [tree(item, depth + 1) for item in part]}
    if kind == "dict" and type(part) is dict:
        return {kind: {clean(name): tree(item, depth + 1) for name, item in part.items()}}
    if kind == "value" and (part is None or type(part) in (bool, int, float, str)):
        return {kind: clean(part) if type(part) is str else part}
    if kind == "other":
        return {kind: text(300)(part)}
    raise Malformed(f"a result holds no {brief(kind)}, or not like this")


def _tensor(spec: Fields) -> dict[str, Any]:
    found: dict[str, Any] = {name: spec.take(name, wholes) for name in ("shape", "stride")}
    found |= {name: spec.take(name, text(60)) for name in ("dtype", "device")}
    found["aliases"] = spec.take("aliases", flag)
    spec.end()
    return found


def segment(value: Any) -> tuple[int, int, str]:
    """Base address, bytes and handle (64 bytes in hexadecimal) of an allocation."""
    if type(value) is not list or len(value) != 3:
        raise Malformed("expected [base, size, handle]")
    base, size = wholes(value[:2])
    handle = text(128)(value[2])
    if len(handle) != 128 or not set(handle) <= set("0123456789abcdef"):
        raise Malformed("a handle is 64 bytes in hexadecimal")
    return base, size, handle
