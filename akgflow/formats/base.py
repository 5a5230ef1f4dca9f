"""What a format of other projects gives: a problem as an operator, and its solutions as candidates.

The judge knows one form, KernelBench's. A format translates to it as text, so that judge, plans and prompts stay as
they are. The lines of a user's Python file keep their numbers: what is added comes after them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from akgflow.operators.signature import Scalar as Scalar

Read = Callable[[Path], str]
"""The text of a file that a problem consists of. What it raises for one that cannot be read passes through a format."""
ADDED = "\n\n# Added by akgflow: the form that the judge takes.\n"


class Refused(Exception):
    """What a problem or a solution has and akgflow cannot express, with its place in the user's own file."""

    def __init__(self, reason: str, file: Path, line: int = 1, column: int = 1, *, hint: str = "") -> None:
        self.reason, self.file, self.line, self.column, self.hint = reason, file, line, column, hint
        super().__init__(f"{file}:{line}: {reason}")


@dataclass(frozen=True)
class Translation:
    """A problem as an operator in KernelBench form."""

    format: str
    name: str
    """The problem's own name."""
    file: Path
    """The user's file that errors name."""
    source: str
    """The operator's text."""
    beside: Mapping[str, str] = field(default_factory=dict)
    """Modules that it imports, by their paths."""
    cases: tuple[Mapping[str, Scalar], ...] = ()
    """What the problem is judged on; empty for the operator's own shapes."""
    description: str = ""
    fixed: bool = False
    """Whether only the stated shapes exist: sizes depend on each other, or on files with data."""
    workloads: tuple[Mapping[str, Any], ...] = ()
    """The entry of the problem's own file behind each case."""
    spec: Mapping[str, Any] = field(default_factory=dict)
    """What solutions are translated by."""


@dataclass(frozen=True)
class Candidate:
    """A solution as a module with ``ModelNew``."""

    text: str
    name: str = ""
    """The solution's own name; empty for a plain file."""
    dsls: tuple[str, ...] = ()
    """DSLs that it may be written in, as it says; empty where it does not say."""


class Format(Protocol):
    """A module for each format; `akgflow.formats.FORMATS` lists them."""

    def find(self, path: Path) -> Path | None:
        """The main file of the problem that a file or a folder is, by its looks; None where it is none of these."""

    def translate(self, file: Path, read: Read) -> Translation:
        """The problem of a main file. Raises `Refused`."""

    def candidate(self, text: str, file: Path, about: Translation) -> Candidate:
        """The text of a solution's file as a candidate. Raises `Refused`."""
