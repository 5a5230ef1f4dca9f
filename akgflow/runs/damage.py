"""Files of a run that cannot be read: which, why, and what is whole."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from akgflow.base.serial import fit, of_others
from akgflow.errors import ConfigError, Mark, Problem
from akgflow.runs.layout import JOURNAL
from akgflow.runs.lines import Lines, read_lines
from akgflow.runs.records import why_unfit

T = TypeVar("T")
_MOST = 5
"""Damaged lines that are shown one by one."""
_HINT = "akgflow run TASK --repair keeps what is whole, and the damaged files beside it"


class DamagedRun(ConfigError):
    """Files of a run that cannot be read, each with its place, and what is whole."""

    @classmethod
    def of_journal(cls, path: Path, found: Lines) -> DamagedRun:
        """Some lines of a journal are damaged."""
        problems = [
            Problem(Mark(str(path), one.number, 1), f"this line of the journal cannot be used: {one.reason}")
            for one in found.damaged[:_MOST]
        ]
        more = len(found.damaged) - len(problems)
        whole = f"{len(found.lines)} of {len(found.lines) + len(found.damaged)} steps in {path} are whole"
        return cls([*problems, Problem(None, whole + (f", and {more} more are not" if more else ""), _HINT)])

    @classmethod
    def of_file(cls, path: Path, reason: str) -> DamagedRun:
        """A file that can be made again."""
        return cls([Problem(None, f"{path} is damaged ({reason}); {_whole(path)}", _HINT)])


def read_file(path: Path, kind: type[T]) -> T | None:
    """A value that a run wrote as JSON; None where there is no such file, `DamagedRun` where it holds no such value."""
    try:
        return fit(of_others(path.read_bytes()), kind)
    except FileNotFoundError:
        return None
    except OSError as wrong:
        raise DamagedRun.of_file(path, str(wrong.strerror)) from None
    except ValueError as wrong:
        raise DamagedRun.of_file(path, str(wrong)) from None


def read_whole_text(path: Path) -> str | None:
    """A text that a run wrote; None where there is no such file, `DamagedRun` where it is no text."""
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except OSError as wrong:
        raise DamagedRun.of_file(path, str(wrong.strerror)) from None
    except UnicodeDecodeError:
        raise DamagedRun.of_file(path, "it is no UTF-8") from None


def _whole(path: Path) -> str:
    """What the journal of the run that holds ``path`` still has, in words."""
    journal = next((up / JOURNAL for up in path.parents if (up / JOURNAL).is_file()), None)
    if journal is None:
        return "and there is no journal to make it from again"
    found = read_lines(journal.read_bytes(), why_unfit)
    broken = f" and {len(found.damaged)} damaged" if found.damaged else ""
    return f"the journal that it is made from has {len(found.lines)} whole{broken} steps"
