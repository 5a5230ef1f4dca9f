"""The file of an operator in any format, as the text that is judged."""

from __future__ import annotations

from pathlib import Path

from akgflow import formats
from akgflow.config._problems import Problems, display
from akgflow.config.checks.beside import beside
from akgflow.config.types import Operator
from akgflow.errors import Mark
from akgflow.formats import Translation


class _Unread(Exception):
    """A file that cannot be read, which is noted already."""


def translated(path: Path, form: str | None, at: Mark | None, problems: Problems) -> Translation | None:
    """What the file or folder ``path`` is as an operator; None, with problems, where it is none.

    ``form`` is the name of its format; without one it is found by its looks. ``at`` is where ``path`` is named.
    """

    def read(file: Path) -> str:
        text = problems.read(file, at, "the operator")
        if text is None:
            raise _Unread
        return text

    try:
        return formats.translate(path, form, read)
    except _Unread:
        return None
    except formats.Refused as why:
        refuse(why, problems)
        return None


def refuse(why: formats.Refused, problems: Problems) -> None:
    """Note what a format cannot express, at its place in the user's file."""
    problems.add(Mark(display(why.file), why.line, why.column), why.reason, why.hint)


def operator_at(path: Path, form: str | None, problems: Problems) -> Operator:
    """The operator that ``path`` is, with the modules that it imports from beside it. Raises `ConfigError`."""
    made = translated(path, form, None, problems)
    problems.check()
    assert made is not None, "what has no translation has a problem"
    return Operator(
        made.file, made.source, beside=made.beside or beside(made.source, made.file, problems), translation=made
    )
