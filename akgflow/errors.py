"""The exception tree and the exit codes. Every error here is one sentence that its reader can act on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """What the ``akgflow`` command returns; stable across versions."""

    DONE = 0
    GATE_FAILED = 1
    CONFIG = 2
    BUG = 3
    PREREQUISITE = 4
    BUDGET = 5
    UNTRUSTED = 6
    INTERRUPTED = 130


@dataclass(frozen=True, order=True)
class Mark:
    """A place in a file. Lines and columns count from 1; ``file`` is as the user would type it."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in what the user wrote.

    ``message`` says what is wrong, ``hint`` what to do (may be empty), ``snippet`` the source line, cut around the
    place where it is long, and ``caret`` the column of the place within it (0: the snippet is the whole line).
    """

    mark: Mark | None
    message: str
    hint: str = ""
    snippet: str = ""
    caret: int = 0

    def __str__(self) -> str:
        place = f"{self.mark}: " if self.mark else ""
        return f"{place}{self.message}{': ' + self.hint if self.hint else ''}"


class AkgflowError(Exception):
    """Base of every error that akgflow raises on purpose; shown without a traceback."""

    exit_code = ExitCode.BUG


class ConfigError(AkgflowError):
    """One or more problems in YAML files, overrides or what they refer to; all of them at once.

    ``more`` counts those beyond the ones that are listed. ``before_anything`` says that they were found before
    anything was run or spent.
    """

    exit_code = ExitCode.CONFIG

    def __init__(self, problems: Sequence[Problem] | str, *, more: int = 0, before_anything: bool = False) -> None:
        self.more, self.before_anything = more, before_anything
        listed = [Problem(None, problems)] if isinstance(problems, str) else list(problems)
        self.problems: tuple[Problem, ...] = tuple(listed)
        super().__init__("\n".join(str(p) for p in self.problems))


class PathError(AkgflowError):
    """A path that was given cannot be read or written."""

    exit_code = ExitCode.CONFIG


class PrerequisiteError(AkgflowError):
    """Something outside the files is missing: a compiler, a package, a key, a provider."""

    exit_code = ExitCode.PREREQUISITE


class BudgetError(AkgflowError):
    """The next step would take the run over its budget."""

    exit_code = ExitCode.BUDGET


class UntrustedJudge(AkgflowError):
    """On this machine the judge let a kernel pass that it must refuse, or refused one that it must let pass."""

    exit_code = ExitCode.UNTRUSTED
