"""Collecting everything that is wrong, each with its place and source line, and showing it.

The work for one problem does not depend on how many there are or how long a line is: texts are split into lines once,
hints and source lines are made for those problems alone that are shown.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from akgflow.base import secrets
from akgflow.config._files import MAX_BYTES, Unreadable, neighbours, read_bytes
from akgflow.errors import ConfigError, Mark, Problem

MAX_SHOWN = 100
"""Problems that an error holds; it counts the rest."""
LINE_END = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""What ends a line in YAML 1.1, by which the places in a file are counted."""
_SHOWN_NAMES = 12
_SHOWN_WIDTH = 110
_MAX_NAME = 100
"""Characters up to which a name is compared with others; none that is known is longer."""
_MAX_OPTIONS = 500
_MAX_SENTENCE = 600

Hint = str | Callable[[], str]
"""What to do, or what makes it: comparing names takes time, and most of many problems are never shown."""


def masked(line: str) -> str:
    """``line`` without what looks like a key or steers a terminal: what is shown may end in a log."""
    return secrets.masked(line if line.isprintable() else "".join(map(_visible, line)))


def _visible(char: str) -> str:
    return char if char.isprintable() or char == "\t" else "\N{REPLACEMENT CHARACTER}"


def nearest(name: str, options: Iterable[str]) -> str | None:
    """The option that ``name`` was probably meant to be."""
    if len(name) > _MAX_NAME:
        return None
    by_lower = {option.lower(): option for option, _ in zip(options, range(_MAX_OPTIONS), strict=False)}
    # Files of C++ are named so: c++ is cpp.
    found = difflib.get_close_matches(name.lower().replace("+", "p"), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def suggest(name: str, options: Iterable[str]) -> str:
    """What to do about an unknown ``name``: the nearest known one, or all of them."""
    known = list(options)
    if meant := nearest(name, known):
        return f"did you mean {meant!r}?"
    if not known:
        return "there is none to choose from"
    more = f", … ({len(known)} in all)" if len(known) > _SHOWN_NAMES else ""
    return "choose from " + ", ".join(known[:_SHOWN_NAMES]) + more


def suggestion(name: str, options: Iterable[str]) -> Hint:
    """`suggest`, made when it is shown."""
    return partial(suggest, name, options)


def quoted(name: str) -> str:
    """A name in quotes, cut where it is longer than names are."""
    return repr(name if len(name) <= _MAX_NAME else name[:57] + "…")


def display(path: Path) -> str:
    """``path`` as the user would type it: relative where it is below the current folder."""
    absolute = Path(os.path.abspath(path))
    here = Path.cwd()
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(absolute)


class _Found(NamedTuple):
    mark: Mark | None
    message: str


class Problems:
    """What is wrong in all files so far, and the text of the files that were read."""

    def __init__(self) -> None:
        self._found: dict[_Found, Hint] = {}
        self._texts: dict[str, str] = {}
        self._lines: dict[str, list[str]] = {}
        self._masked: dict[tuple[str, int], str] = {}

    def __len__(self) -> int:
        return len(self._found)

    def add(self, mark: Mark | None, message: str, hint: Hint = "") -> None:
        """Note a problem; the same one, reached along two ways, counts once."""
        self._found.setdefault(_Found(mark, _cut(message)), hint)

    def know(self, file: str, text: str) -> None:
        """Remember the text behind a displayed file name, for the source lines of its problems."""
        self._texts[file] = text

    def read(self, path: Path, at: Mark | None, what: str, most: int = MAX_BYTES) -> str | None:
        """The UTF-8 text of ``path``, of at most ``most`` bytes; None where it has none, with a problem at ``at``."""
        file = display(path)
        if file in self._texts:
            return self._texts[file]
        raw = self._bytes(path, at, what, most)
        if raw is None:
            return None
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            before = LINE_END.split(raw[: error.start].decode("utf-8", "replace"))
            place, byte = Mark(file, len(before), len(before[-1]) + 1), raw[error.start]
            self.add(place, f"{what} is not UTF-8 text (the byte 0x{byte:02x})", "save it as UTF-8")
            return None
        self.know(file, text)
        return text

    def _bytes(self, path: Path, at: Mark | None, what: str, most: int) -> bytes | None:
        place = at or Mark(display(path), 1, 1)
        try:
            raw = read_bytes(path, most)
        except Unreadable as why:
            if why.missing:
                names = neighbours(path)
                hint = suggestion(path.name, names) if names else ""
                self.add(place, f"{what} {quoted(display(path))} does not exist", hint)
            else:
                self.add(place, f"{what} {quoted(display(path))} cannot be read: {why}")
            return None
        if len(raw) <= most:
            return raw
        self.add(place, f"{what} {quoted(display(path))} is larger than {most >> 20} MiB", "split it, or shorten it")
        return None

    def check(self) -> None:
        """Raise one `ConfigError` with everything noted so far, if there is anything."""
        if self._found:
            raise ConfigError(self.sorted(), more=max(0, len(self) - MAX_SHOWN), before_anything=True)

    def sorted(self) -> list[Problem]:
        """The first problems in the order of their files and lines, at most `MAX_SHOWN`."""
        found = sorted(self._found, key=lambda one: (one.mark or Mark("", 0, 0), one.message))
        return [self._shown(one, self._found[one]) for one in found[:MAX_SHOWN]]

    def _shown(self, found: _Found, hint: Hint) -> Problem:
        snippet, caret = self._snippet(found.mark) if found.mark else ("", 0)
        return Problem(found.mark, found.message, _cut(hint if isinstance(hint, str) else hint()), snippet, caret)

    def _snippet(self, mark: Mark) -> tuple[str, int]:
        place = mark.file, mark.line
        if place not in self._masked:
            self._masked[place] = masked(self.line(mark))
        return snippet(self._masked[place], mark.column)

    def line(self, mark: Mark) -> str:
        """The source line of ``mark``; empty where its file was not read."""
        if mark.file not in self._lines:
            self._lines[mark.file] = LINE_END.split(self._texts.get(mark.file, ""))
        lines = self._lines[mark.file]
        return lines[mark.line - 1] if 0 < mark.line <= len(lines) else ""


def snippet(line: str, column: int) -> tuple[str, int]:
    """The part of a line around ``column``, and the column within it."""
    column = min(column, len(line) + 1)
    if len(line) <= _SHOWN_WIDTH:
        return line, column
    start = max(0, min(column - _SHOWN_WIDTH // 2, len(line) - _SHOWN_WIDTH))
    left = "…" if start else ""
    right = "…" if start + _SHOWN_WIDTH < len(line) else ""
    return left + line[start : start + _SHOWN_WIDTH] + right, column - start + len(left)


def format_problem(problem: Problem, color: bool = False) -> str:
    """A problem for a terminal: place and sentence, then the source line with a caret under the place."""
    bold, red, dim, off = ("\x1b[1m", "\x1b[31m", "\x1b[2m", "\x1b[0m") if color else ("", "", "", "")
    place = f"{bold}{problem.mark}:{off} " if problem.mark else ""
    hint = f": {problem.hint}" if problem.hint else ""
    head = f"{place}{red}{problem.message}{off}{hint}"
    if not problem.mark or not problem.snippet.strip():
        return head
    line, column = problem.snippet, problem.caret
    if not column:
        line, column = snippet(line, problem.mark.column)
    number = str(problem.mark.line)
    # Tabs stay tabs in front of the caret, so that it is under its character for any width of tabs.
    pad = "".join("\t" if char == "\t" else " " for char in line[: column - 1])
    return f"{head}\n{dim} {number} |{off} {line}\n{dim} {' ' * len(number)} |{off} {pad}{red}^{off}"


def _cut(sentence: str) -> str:
    """Both ends of a sentence that holds something endless."""
    if len(sentence) <= _MAX_SENTENCE:
        return sentence
    half = _MAX_SENTENCE // 2
    return f"{sentence[:half]} … {sentence[-half:]}"
