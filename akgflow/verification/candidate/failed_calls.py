"""What a candidate's process says about an error: its kind, one sentence, and the candidate's own frames."""

from __future__ import annotations

import errno
import traceback
from pathlib import Path

from akgflow.errors import no_memory
from akgflow.toolchains.base import CompileFailure, Unsupported
from akgflow.verification.candidate.op_budget import Fallback
from akgflow.verification.shared.gradients import NoGradient
from akgflow.verification.shared.protocol import ErrorKind, Failure

MAX_TEXT = 4000
_OUR_CODE = str(Path(__file__).parents[2])
_BY_NAME = frozenset(
    (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP)
)
"""Errors about a path: below the candidate's own call, it may have been the candidate that named it."""
_BY_NUMBER = frozenset((errno.EMFILE, errno.EAGAIN))
"""Errors of limits that this process has, which the candidate may have used up."""


class Invalid(Exception):
    """The module is not a candidate; the text says why."""


def failure_of(error: BaseException, scratch: Path, refused: str | None) -> Failure:
    """The reply for an error; ``refused`` is what the framework was asked to do and may not."""
    summary = f"{type(error).__name__}: {error}".strip()[:MAX_TEXT]
    # What was refused may come through C++ as another exception with its text.
    if refused and (refused in str(error) or isinstance(error.__context__, Fallback)):
        return Failure(ErrorKind.FALLBACK, refused[:MAX_TEXT], _own_words(error, scratch))
    if isinstance(error, (CompileFailure, Invalid, NoGradient)):
        return Failure(_kind(error), str(error)[:MAX_TEXT])
    if _is_ours(error, scratch):
        return Failure(ErrorKind.OURS, summary, "".join(traceback.format_exception(error))[-MAX_TEXT:])
    return Failure(_kind(error), summary, _own_words(error, scratch))


def _own_words(error: BaseException, scratch: Path) -> str:
    """The traceback cut to the candidate's own frames, then the error itself."""
    report = traceback.TracebackException.from_exception(error)
    own = [frame for frame in report.stack if str(scratch) in frame.filename]
    frames = traceback.StackSummary.from_list(own or report.stack[-2:])
    text = "".join(frames.format()).replace(f"{scratch}/", "")
    return (text + "".join(report.format_exception_only()))[-MAX_TEXT:]


def _is_ours(error: BaseException, scratch: Path) -> bool:
    """True for an error of the system that our code met in this process, about nothing that the candidate named."""
    if not isinstance(error, OSError) or no_memory(error) or error.errno in _BY_NUMBER:
        return False
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    known = [name.startswith(_OUR_CODE) for name in files if name.startswith((_OUR_CODE, str(scratch)))]
    return bool(known) and known[-1] and (all(known) or error.errno not in _BY_NAME)


def _kind(error: BaseException) -> ErrorKind:
    if isinstance(error, CompileFailure):
        return ErrorKind.UNSUPPORTED if isinstance(error, Unsupported) else ErrorKind.COMPILE
    if isinstance(error, (Invalid, NoGradient)):
        return ErrorKind.INVALID
    if isinstance(error, SyntaxError):
        return ErrorKind.SYNTAX
    if no_memory(error):
        return ErrorKind.MEMORY
    return ErrorKind.EXCEPTION
