"""Fenced blocks of a reply, wherever a model puts them: in lists, quotes, other blocks, or around other fences.

The first reading is CommonMark's (https://spec.commonmark.org/0.31.2/#fenced-code-blocks), except that a fence may be
indented by any number of spaces. `other_readings` pairs the same fences in the other ways that they can be meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# Quotes and list items may stand before a fence; each alternative begins with another character, so that no text
# takes long to match. The info of a backtick fence holds no backtick: ```x``` is text.
_FENCE = re.compile(
    r"(?P<lead>(?:[ \t]|>|(?:[-*+]|\d{1,9}[.)])[ \t])*)"
    r"(?:(?P<ticks>`{3,})(?P<info>[^`]*)|(?P<tildes>~{3,})(?P<rest>.*))"
)
_QUOTE = re.compile(r"[ \t]*>[ \t]?")
_TAG = re.compile(r"[A-Za-z0-9_+#]+")
_INDENT_OF_END = 3
"""By how much the end of a block may be indented beyond its beginning: deeper fences are text of the block."""
_MOST_FENCES = 64
"""Of a reply whose fences are paired in every way."""


class Block(NamedTuple):
    """A fenced block.

    ``tag`` is its language, in lower case; ``body`` is indented as in the reply. ``start`` and ``end`` are the offsets
    of its lines, fences included. ``closed`` is False where the reply never ends it.
    """

    tag: str
    body: str
    start: int
    end: int
    closed: bool = True


class _Line(NamedTuple):
    text: str
    start: int
    fence: re.Match[str] | None


def blocks(text: str) -> list[Block]:
    """The blocks of ``text``, whose line ends are LF, in the first reading."""
    lines = list(_lines(text))
    found: list[Block] = []
    number = 0
    while number < len(lines):
        if lines[number].fence is None:
            number += 1
            continue
        end = next(_ends(lines, number), None)
        found.append(_block(lines, number, len(lines) if end is None else end, closed=end is not None))
        number = len(lines) if end is None else end + 1
    return found


def other_readings(text: str) -> Iterator[Block]:
    """Every closed block that the fences of ``text`` can form, the longest of each beginning first."""
    lines = list(_lines(text))
    begins = [number for number, line in enumerate(lines) if line.fence is not None]
    if len(begins) > _MOST_FENCES:
        return
    for begin in begins:
        for end in reversed(list(_ends(lines, begin))):
            yield _block(lines, begin, end, closed=True)


def _lines(text: str) -> Iterator[_Line]:
    start = 0
    for line in text.split("\n"):
        yield _Line(line, start, _FENCE.fullmatch(line.rstrip()))
        start += len(line) + 1


def _marks(fence: re.Match[str]) -> str:
    return str(fence["ticks"] or fence["tildes"])


def _info(fence: re.Match[str]) -> str:
    return str(fence["info"] or fence["rest"] or "").strip()


def _indent(fence: re.Match[str]) -> int:
    """Characters between the last quote mark, if there is one, and the fence."""
    return len(fence["lead"]) - fence["lead"].rfind(">") - 1


def _ends(lines: list[_Line], begin: int) -> Iterator[int]:
    """The lines that can end the block that ``begin`` begins."""
    opened = lines[begin].fence
    assert opened is not None
    for number in range(begin + 1, len(lines)):
        fence = lines[number].fence
        if (
            fence is not None
            and not _info(fence)
            and not fence["lead"].strip(" \t>")
            and _marks(fence).startswith(_marks(opened))
            and _indent(fence) <= _indent(opened) + _INDENT_OF_END
        ):
            yield number


def _block(lines: list[_Line], begin: int, end: int, *, closed: bool) -> Block:
    opened = lines[begin].fence
    assert opened is not None
    quotes = opened["lead"].count(">")
    inside = [_unquoted(line.text, quotes) for line in lines[begin + 1 : end]]
    tag = _TAG.search(_info(opened))
    after = lines[end].start + len(lines[end].text) if end < len(lines) else lines[-1].start + len(lines[-1].text)
    return Block(tag.group().lower() if tag else "", "\n".join(inside) + "\n", lines[begin].start, after, closed)


def _unquoted(line: str, quotes: int) -> str:
    """A line of a block in a quote, without the marks of the quote."""
    for _ in range(quotes):
        mark = _QUOTE.match(line)
        line = line[mark.end() :] if mark else line
    return line


def outdented(body: str) -> str:
    """``body`` with as much indentation less as its first line of text has; a line that has less keeps none."""
    first = next((line for line in body.split("\n") if line.strip()), "")
    indent = len(first) - len(first.lstrip(" \t"))
    return "\n".join(line[min(indent, len(line) - len(line.lstrip(" \t"))) :] for line in body.split("\n"))
