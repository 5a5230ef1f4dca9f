"""How a candidate ends a judgement: the statuses that its process's errors and its death stand for."""

from __future__ import annotations

import re
import signal

from akgflow.terms import Status
from akgflow.verification.shared.protocol import ErrorKind, Failure

_KINDS = {
    ErrorKind.UNSUPPORTED: Status.NOT_RUN,
    ErrorKind.SYNTAX: Status.COMPILE_ERROR,
    ErrorKind.INVALID: Status.INVALID,
    ErrorKind.MEMORY: Status.OUT_OF_MEMORY,
    ErrorKind.FALLBACK: Status.FALLBACK,
}
CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT}
"""What code dies of that works with values that are not there."""
_COMPILER_ENDED = re.compile(
    r"(killed|terminated|interrupt|hangup|quit) signal terminated program|interrupted by user|exited with status -",
    re.IGNORECASE,
)
"""What GCC's driver, ninja and the builders say when a compiler was ended by a signal."""
_STOPPED = re.compile(r"\bFAILED:|build stopped|(exited|failed) with|non-zero exit")
_DIAGNOSED = re.compile(r"\berror\b|undefined", re.IGNORECASE)


class CandidateFailed(Exception):
    """The candidate ended a judgement: a status, one sentence, and its own words."""

    def __init__(self, status: Status, message: str, log: str = "") -> None:
        self.status, self.message, self.log = status, message, log
        super().__init__(message)


class Reported(CandidateFailed):
    """A failure in the words of the candidate's process, which lives on."""


class Crashed(CandidateFailed):
    """The process ended by a signal that the kernel or the C library sends to code that goes wrong."""


class Disturbed(CandidateFailed):
    """Somebody else may have ended it: it is judged once more before that counts.

    The status is `Status.NOT_RUN` where it cannot have been the candidate's own doing.
    """


def compile_failed(words: str) -> CandidateFailed:
    """The failure that a compiler's words stand for: the first line is the message, all of them the log."""
    first, _, rest = words.strip().partition("\n")
    return CandidateFailed(Status.COMPILE_ERROR, first, words if rest else "")


def reported(failure: Failure, stand_in: bool) -> CandidateFailed:
    """What a process says went wrong in it.

    A build that failed without a diagnostic may have had its compiler ended by somebody: that is tried once more.

    Only where something stands for the device (``stand_in``) are there sound candidates that are not supported.
    """
    kind = failure.error
    if kind is ErrorKind.COMPILE or (kind is ErrorKind.UNSUPPORTED and not stand_in):
        found = compile_failed(failure.message)
        undiagnosed = _STOPPED.search(failure.message) and not _DIAGNOSED.search(failure.message)
        if undiagnosed or _COMPILER_ENDED.search(failure.message):
            return Disturbed(found.status, found.message, found.log)
        return Reported(found.status, found.message, found.log)
    return Reported(_KINDS.get(kind, Status.RUNTIME_ERROR), failure.message, failure.log)
