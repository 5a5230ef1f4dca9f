"""How a candidate fails: by wrong results, by its process's errors, by its death; each with its status."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace

from akgflow.base.text import named_values
from akgflow.terms import Status
from akgflow.verdict import CaseResult
from akgflow.verification.reference.tolerance import Comparison
from akgflow.verification.shared.protocol import ErrorKind, Failure

_KINDS = {
    ErrorKind.UNSUPPORTED: Status.NOT_RUN,
    ErrorKind.SYNTAX: Status.COMPILE_ERROR,
    ErrorKind.INVALID: Status.INVALID,
    ErrorKind.MEMORY: Status.OUT_OF_MEMORY,
    ErrorKind.FALLBACK: Status.FALLBACK,
}
_OURS = "akgflow's own code failed in the candidate's process, which need not be the kernel's fault"
CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT}
"""Signals that faulty native code ends with."""
_COMPILER_ENDED = re.compile(
    r"(killed|terminated|interrupt|hangup|quit) signal terminated program|interrupted by user|exited with status -",
    re.IGNORECASE,
)
"""What GCC's driver, ninja and the builders say when a compiler was ended by a signal."""
_STALE = (
    "right by itself, and wrong when forward was called with other inputs before backward: what backward needs must be "
    "kept for each call of forward (ctx.save_for_backward), not on the module"
)
_STOPPED = re.compile(r"\bFAILED:|build stopped|(exited|failed) with|non-zero exit")
_DIAGNOSED = re.compile(r"\berror\b|undefined", re.IGNORECASE)


class CandidateFailed(Exception):
    """The candidate ended a judgement: a status, one sentence, and its own words."""

    def __init__(self, status: Status, message: str, log: str = "") -> None:
        self.status, self.message, self.log = status, message, log
        super().__init__(message)


class Reported(CandidateFailed):
    """A failure that the candidate's process reported; the process still runs."""


class Crashed(CandidateFailed):
    """The process ended by a signal that the kernel or the C library sends to code that goes wrong."""


class Unfit(CandidateFailed):
    """Nothing was judged: the operator itself cannot be judged with as it is."""

    def __init__(self, message: str) -> None:
        super().__init__(Status.NOT_RUN, message)


class Disturbed(CandidateFailed):
    """Somebody else may have ended it: it is judged once more before that counts.

    The status is `Status.NOT_RUN` where it cannot have been the candidate's own doing.
    """


def compile_failed(words: str) -> CandidateFailed:
    """The failure of a compilation: the first line of the compiler's output is the message, all of it the log."""
    first, _, rest = words.strip().partition("\n")
    return CandidateFailed(Status.COMPILE_ERROR, first, words if rest else "")


def reported(failure: Failure, stand_in: bool) -> CandidateFailed:
    """What a process says went wrong in it.

    A build that failed without a diagnostic may have had its compiler ended by somebody: that is tried once more.

    Only where something stands in for the device (``stand_in``) there are sound candidates that are not supported.
    """
    kind = failure.error
    if kind is ErrorKind.COMPILE or (kind is ErrorKind.UNSUPPORTED and not stand_in):
        found = compile_failed(failure.message)
        undiagnosed = _STOPPED.search(failure.message) and not _DIAGNOSED.search(failure.message)
        if undiagnosed or _COMPILER_ENDED.search(failure.message):
            return Disturbed(found.status, found.message, found.log)
        return Reported(found.status, found.message, found.log)
    if kind is ErrorKind.OURS:
        return Disturbed(Status.RUNTIME_ERROR, f"{_OURS}: {failure.message}", failure.log)
    return Reported(_KINDS.get(kind, Status.RUNTIME_ERROR), failure.message, failure.log)


@dataclass(frozen=True)
class Measured:
    """A case's result, and the largest relative error, which only the summary of all cases needs."""

    result: CaseResult
    relative: float = 0.0


def measured_from(result: CaseResult, found: list[Comparison], framework_error: float) -> Measured:
    worst = max(found, key=lambda c: (c.wrong, c.error / c.bound if c.bound else c.error))
    wrong = sum(c.wrong for c in found)
    status = Status.INCORRECT_NUMERICAL if wrong else Status.PASSED
    filled = replace(
        result,
        status=status,
        error=worst.error,
        bound=worst.bound,
        framework_error=framework_error,
        wrong=wrong,
        total=sum(c.total for c in found),
        worst=worst.worst,
        detail=worst.detail,
    )
    return Measured(filled, max(c.relative for c in found))


def blame_repeat(measured: Measured, call: int) -> Measured:
    return blamed(measured, f"right at first and wrong on call {call} of the same model")


def blame_stale(measured: Measured) -> Measured:
    """A result for which forward was called with other inputs before backward; as it is where it is right."""
    return measured if measured.result.status is Status.PASSED else blamed(measured, _STALE)


def blamed(measured: Measured, why: str) -> Measured:
    """A wrong result with the reason before what is wrong."""
    return replace(measured, result=replace(measured.result, detail=f"{why}: {measured.result.detail}"))


def result_failure(measured: Sequence[Measured]) -> CandidateFailed | None:
    """The first result that is not right, as the failure that the verdict is about."""
    for one in measured:
        if one.result.status is not Status.PASSED:
            case = named_values(one.result.case)
            where = (
                f" (case {case}; inputs: {one.result.distribution})"
                if case
                else f" (inputs: {one.result.distribution})"
            )
            return CandidateFailed(one.result.status, one.result.detail + where)
    return None


def timed_out(op: str, seconds: float) -> CandidateFailed:
    """The failure of a candidate that has not answered the request ``op``."""
    return CandidateFailed(
        Status.TIMEOUT, f"the candidate did not finish within {seconds:.0f} s ({_DOING.get(op, op)})"
    )


_DOING = {
    "open": "preparing the toolchain",
    "load": "importing and compiling",
    "build": "constructing the model",
    "prepare": "preparing weights",
    "call": "calling the model",
    "optimize": "torch.compile",
    "silence": "taking its kernels away",
    "ping": "between two calls",
} | dict.fromkeys(("prepare_windows", "window", "warm_up", "release", "idle"), "timing")
