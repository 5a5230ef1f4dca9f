"""Collecting everything that is wrong, each with its place and source line, and showing it."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from pathlib import Path

from akgflow import secrets
from akgflow.errors import ConfigError, Mark, Problem

MAX_BYTES = 1 << 20
_SHOWN_NAMES = 12
_SHOWN_WIDTH = 110


def masked(line: str) -> str:
    """``line`` without what looks like a key or steers a terminal: what is shown may end in a log."""
    return secrets.masked(
        "".join(char if char.isprintable() or char == "\t" else "\N{REPLACEMENT CHARACTER}" for char in line)
    )


def nearest(name: str, options: Iterable[str]) -> str | None:
    """The option that ``name`` was probably meant to be."""
    by_lower = {option.lower(): option for option in options}
    found = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def suggest(name: str, options: Iterable[str]) -> str:
    """What to do about an unknown ``name``: the nearest right one, or what there is."""
    known = list(options)
    if meant := nearest(name, known):
        return f"did you mean {meant!r}?"
    if not known:
        return "there is none to choose from"
    more = f", … ({len(known)} in all)" if len(known) > _SHOWN_NAMES else ""
    return "choose from " + ", ".join(known[:_SHOWN_NAMES]) + more


def display(path: Path) -> str:
    """``path`` as the user would type it: relative where it lies below the current folder."""
    absolute = Path(os.path.abspath(path))
    here = Path.cwd()
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(absolute)


class Problems:
    """What is wrong in all files so far, and the text of the files that were read."""

    def __init__(self) -> None:
        self._found: dict[Problem, None] = {}
        self._texts: dict[str, str] = {}
        self._unreadable: set[str] = set()

    def __len__(self) -> int:
        return len(self._found)

    def add(self, mark: Mark | None, message: str, hint: str = "") -> None:
        """Note a problem; the same one, reached along two ways, counts once."""
        snippet = masked(self.line(mark)) if mark else ""
        self._found[Problem(mark, message, hint, snippet)] = None

    def know(self, file: str, text: str) -> None:
        """Remember the text behind a displayed file name, for the source lines of its problems."""
        self._texts[file] = text

    def read(self, path: Path, at: Mark | None, what: str) -> str | None:
        """The UTF-8 text of ``path``; None, with a problem at ``at``, where it cannot be had."""
        file = display(path)
        if file in self._texts:
            return self._texts[file]
        raw = self._bytes(path, at, what)
        if raw is None:
            return None
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            before = raw[: error.start].decode("utf-8", "replace")
            line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
            self.add(Mark(file, line, column), f"{what} is not UTF-8 text", "save it as UTF-8")
            return None
        self.know(file, text)
        return text

    def _bytes(self, path: Path, at: Mark | None, what: str) -> bytes | None:
        place = at or Mark(display(path), 1, 1)
        try:
            with path.open("rb") as stream:
                raw = stream.read(MAX_BYTES + 1)
        except FileNotFoundError:
            names = sorted(child.name for child in path.parent.glob("*")) if path.parent.is_dir() else []
            self.add(place, f"{what} {display(path)!r} does not exist", suggest(path.name, names) if names else "")
        except OSError as error:
            reason = (error.strerror or "unreadable").lower()
            self.add(place, f"{what} {display(path)!r} cannot be read: {reason}")
        else:
            if len(raw) <= MAX_BYTES:
                return raw
            self.add(place, f"{what} {display(path)!r} is larger than 1 MiB", "split it, or shorten it")
        return None

    def sorted(self) -> list[Problem]:
        """All problems in the order of their files and lines."""
        return sorted(self._found, key=lambda p: (p.mark or Mark("", 0, 0), p.message))

    def check(self) -> None:
        """Raise one `ConfigError` with everything noted so far, if there is anything."""
        if self._found:
            raise ConfigError(self.sorted())

    def line(self, mark: Mark) -> str:
        """The source line of ``mark``; empty where its file was not read."""
        lines = self._texts.get(mark.file, "").splitlines()
        return lines[mark.line - 1] if 0 < mark.line <= len(lines) else ""


def format_problem(problem: Problem, color: bool = False) -> str:
    """A problem for a terminal: place and sentence, then the source line with a caret under the place."""
    bold, red, dim, off = ("\x1b[1m", "\x1b[31m", "\x1b[2m", "\x1b[0m") if color else ("", "", "", "")
    place = f"{bold}{problem.mark}:{off} " if problem.mark else ""
    hint = f": {problem.hint}" if problem.hint else ""
    head = f"{place}{red}{problem.message}{off}{hint}"
    if not problem.mark or not problem.snippet.strip():
        return head
    line, column = _window(problem.snippet, problem.mark.column)
    number = str(problem.mark.line)
    # Tabs stay tabs in front of the caret, so that it stands under its character whatever their width.
    pad = "".join("\t" if char == "\t" else " " for char in line[: column - 1])
    return f"{head}\n{dim} {number} |{off} {line}\n{dim} {' ' * len(number)} |{off} {pad}{red}^{off}"


def _window(line: str, column: int) -> tuple[str, int]:
    """The part of a long line around ``column``, and the column within it."""
    column = min(column, len(line) + 1)
    if len(line) <= _SHOWN_WIDTH:
        return line, column
    start = max(0, min(column - _SHOWN_WIDTH // 2, len(line) - _SHOWN_WIDTH))
    left = "…" if start else ""
    right = "…" if start + _SHOWN_WIDTH < len(line) else ""
    return left + line[start : start + _SHOWN_WIDTH] + right, column - start + len(left)
