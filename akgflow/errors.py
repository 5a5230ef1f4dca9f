"""The exception tree and the exit codes. Every error here is one sentence that its reader can act on."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
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
    EXHAUSTED = 7
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


class MachineExhausted(AkgflowError):
    """The machine ran out of something on the way: room on a disk, descriptors, processes, memory.

    It decides nothing: no kernel is at fault, and the same command continues once there is enough.
    """

    exit_code = ExitCode.EXHAUSTED

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)

    def __str__(self) -> str:
        return f"the machine could not go on: {self.reason}; the same command goes on where this one stopped"


_WANTS = {
    errno.ENOSPC: "the disk is full: make room",
    errno.EDQUOT: "the disk quota is used up: make room",
    errno.EMFILE: "a process has no file descriptors left: raise its limit (ulimit -n)",
    errno.ENFILE: "the system has no file descriptors left: close some, or raise fs.file-max",
    errno.ENOMEM: "memory ran out: end what takes it, or run less at once",
    errno.EAGAIN: "no further process could be started: end some, or raise the limit (ulimit -u, pids.max)",
    errno.EROFS: "the file system is read-only: mount it writable",
    errno.EIO: "the disk does not read or write (input/output error): look at the system's log",
}
"""What the system reports when a machine is short of something, and what to do about it."""
_SQLITE = {7: errno.ENOMEM, 10: errno.EIO, 13: errno.ENOSPC}
"""SQLite's primary result codes for the same (https://sqlite.org/rescode.html): NOMEM, IOERR, FULL."""


_UNUSABLE = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY),
    *(errno.ELOOP, errno.ENAMETOOLONG, errno.EXDEV, errno.EBUSY, errno.ETXTBSY, errno.EFBIG),
}
"""What the system says of a path that cannot be read or written."""


def known_error(error: Exception) -> AkgflowError | None:
    """The error of ours that an error of the system stands for: a path or a shortage; None for a bug."""
    if isinstance(error, AkgflowError):
        return error
    return _path_error(error) or machine_error(error)


def _path_error(error: Exception) -> PathError | None:
    """What is wrong with a path; None where the error says something else."""
    if not isinstance(error, OSError) or error.errno not in _UNUSABLE or "No usable temporary" in str(error):
        return None
    what = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else "a file or a process"
    return PathError(f"{what} cannot be used: {error.strerror}")


def machine_error(error: BaseException) -> MachineExhausted | None:
    """The shortage of the machine that caused an error of our own process; None for other errors."""
    for link in causes(error):
        if isinstance(link, MachineExhausted):
            return link
        number = _shortage(link)
        if number is not None:
            name = link.filename if isinstance(link, OSError) else None
            where = f"{os.fsdecode(name)}: " if isinstance(name, str | bytes) else ""
            return MachineExhausted(f"{where}{_WANTS[number]}")
    return None


_NO_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")


def no_memory(error: BaseException) -> bool:
    """True for an allocation that failed, of the host or of a device, as Python and PyTorch say it."""
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in _NO_MEMORY)


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what led to it, the outermost first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _shortage(error: BaseException) -> int | None:
    if isinstance(error, OSError):
        # Python looks for a folder for temporary files by writing to each of them.
        full = error.errno == errno.ENOENT and "No usable temporary directory" in str(error)
        return errno.ENOSPC if full else error.errno if error.errno in _WANTS else None
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return errno.EAGAIN
    return _SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
