"""The lines of a journal: one JSON object each, with a digest of its bytes.

``{"key": "call …", "seconds": 12.5, "step": "code", "data": …, "digest": "0f3a…"}``: ``seconds`` is the time that the
run had taken, and the digest is of the line without it, so that a flipped bit anywhere is noticed. Lines that an older
akgflow wrote have none. Only a newline ends a line: U+2028 in a reply is a character like any other.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from akgflow.base.text import escaped_in_json

_DIGEST = re.compile(rb'(.*), "digest": "([0-9a-f]{16})"\}', re.DOTALL)
_FIELDS: dict[str, type] = {"key": str, "seconds": float, "data": object, "step": str}


@dataclass(frozen=True)
class Line:
    """One finished effect; ``number`` counts from 1, ``raw`` are the line's bytes without its end."""

    number: int
    raw: bytes
    key: str
    seconds: float
    data: Any
    step: str = ""


@dataclass(frozen=True)
class Damage:
    """A line that is not whole, and why."""

    number: int
    reason: str


@dataclass(frozen=True)
class Lines:
    """What a journal holds. ``end`` bytes of it stay when a torn last line is dropped.

    ``unended`` is True where the last line is whole and lacks nothing but its newline.
    """

    lines: tuple[Line, ...]
    damaged: tuple[Damage, ...]
    end: int
    unended: bool


def to_line(key: str, seconds: float, data: Any, step: str = "") -> bytes:
    """One line with its end."""
    entry = {"key": key, "seconds": seconds, "data": data} | ({"step": step} if step else {})
    text = escaped_in_json(json.dumps(entry, ensure_ascii=False, allow_nan=False)).encode()
    return b'%s, "digest": "%s"}\n' % (text[:-1], _digest(text).encode())


def read_lines(raw: bytes, why_unfit: Callable[[str, Any], str]) -> Lines:
    """All lines of a journal; ``why_unfit`` says what is wrong with the data of a key, or nothing.

    A last line without a newline is whole or torn, never damaged.
    """
    *ended, last = raw.split(b"\n")
    lines: dict[str, Line] = {}
    damaged: list[Damage] = []
    for number, one in enumerate([*ended, last], 1):
        found = _line(number, one, why_unfit) if one.strip() else None
        if isinstance(found, Line) and found.key in lines:
            found = Damage(number, f"{found.key!r} is in line {lines[found.key].number} already")
        if isinstance(found, Line):
            lines[found.key] = found
        elif found is not None and number <= len(ended):
            damaged.append(found)
    unended = bool(lines) and max(line.number for line in lines.values()) == len(ended) + 1
    return Lines(tuple(lines.values()), tuple(damaged), len(raw) if unended else len(raw) - len(last), unended)


def _line(number: int, raw: bytes, why_unfit: Callable[[str, Any], str]) -> Line | Damage:
    signed = _DIGEST.fullmatch(raw.rstrip(b"\r"))
    if signed and _digest(signed[1] + b"}") != signed[2].decode():
        return Damage(number, "it was changed after it was written: its digest does not fit")
    try:
        entry = json.loads(raw, object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        return Damage(number, f"it is no JSON ({error})")
    if not isinstance(entry, dict):
        return Damage(number, "it is no JSON object")
    if signed:
        del entry["digest"]
    wrong = [name for name, value in entry.items() if name not in _FIELDS or not _fits(name, value)]
    missing = [name for name in ("key", "seconds", "data") if name not in entry]
    if wrong or missing:
        return Damage(number, f"it is no journal entry ({', '.join(map(repr, wrong or missing))})")
    if reason := why_unfit(entry["key"], entry["data"]):
        return Damage(number, f"it does not hold what {entry['key']!r} is ({reason})")
    return Line(number, raw, entry["key"], float(entry["seconds"]), entry["data"], entry.get("step", ""))


def _fits(name: str, value: Any) -> bool:
    if name == "seconds":
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
    return isinstance(value, _FIELDS[name])


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in an object")
    return found


def _digest(raw: bytes) -> str:
    return sha256(raw).hexdigest()[:16]
