"""JSON of problems and solutions: read, and held to the types that a format says, with places in the user's file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from akgflow.formats.base import Refused, Scalar

_KINDS = {dict: "an object", list: "a list", str: "text", int: "a whole number", bool: "true or false"}
_MISSING = object()


def line_of(text: str, key: str) -> int:
    """The line at which ``key`` first stands in quotes; 1 where it does not."""
    at = text.find(f'"{key}"')
    return text.count("\n", 0, max(at, 0)) + 1


def json_object(text: str, file: Path, first_line: int = 1) -> dict[str, Any]:
    """An object that is a whole text. Raises `Refused` at the line of the error."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise Refused(f"not valid JSON: {error.msg}", file, first_line + error.lineno - 1, error.colno) from None
    except RecursionError:
        raise Refused("not valid JSON: nested too deeply", file, first_line) from None
    if not isinstance(found, dict):
        raise Refused(f"holds {type(found).__name__}, not an object", file, first_line)
    return found


def entry(data: Mapping[str, Any], name: str, kind: type, file: Path, default: Any = _MISSING, line: int = 1) -> Any:
    """A member of an object, of a type that it must have. A member that is null is missing. Raises `Refused`."""
    value = data.get(name)
    if value is None:
        if default is _MISSING:
            raise Refused(f"has no {name!r}", file, line)
        return default
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise Refused(f"{name!r} is not {_KINDS[kind]}", file, line)
    return value


def scalars(value: Any, what: str, file: Path, line: int = 1) -> dict[str, Scalar]:
    """An object of names and plain values; a name that is null is left out. Raises `Refused`."""
    if not isinstance(value, dict):
        raise Refused(f"{what} holds something else than objects", file, line)
    for name, one in value.items():
        if not isinstance(one, Scalar | None):
            reason = f"{what}: {name!r} is {type(one).__name__}; a case holds numbers, truth values and texts"
            raise Refused(reason, file, line)
        if not name.isidentifier():
            raise Refused(f"{what}: {name!r} is no name of an argument", file, line)
    return {name: one for name, one in value.items() if one is not None}
