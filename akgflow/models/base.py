"""The provider protocol and the values that cross it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from akgflow.budget.usage import Usage
from akgflow.config.types import ModelSpec, ReplyForm
from akgflow.errors import ExitCode, PrerequisiteError
from akgflow.models.local.session import Session


@dataclass(frozen=True, order=True)
class CallKey:
    """Which call of a run this is; ``attempt`` and ``sample`` count from 1.

    ``resend`` is 1 where the reply before it was malformed and went back with the reason.
    """

    task: str
    job: str
    step: str
    attempt: int = 1
    sample: int = 1
    agent: str = ""
    resend: int = 0

    def __str__(self) -> str:
        tail = "r" * self.resend
        return f"{self.job}.{self.step}.{self.attempt}.{self.sample}.{self.agent}{tail}"


@dataclass(frozen=True)
class Message:
    """One chat message; ``role`` is ``system``, ``user`` or ``assistant``."""

    role: str
    content: str


@dataclass(eq=False)
class Meter:
    """Counts what a call has read of its reply so far: the provider adds to it, the gateway reads it.

    ``out`` while a provider may bill the call: from the moment it goes out until a server has refused it.
    """

    pieces: int = 0
    size: int = 0
    out: bool = False

    def read(self, text: str) -> None:
        """Count in one piece of a reply, hidden reasoning too; an empty one counts for nothing."""
        if text:
            self.pieces += 1
            self.size += len(text.encode("utf-8", "replace"))

    @property
    def tokens(self) -> int:
        """At least so many tokens were read.

        A piece holds a token or more, unless a server replays a finished reply in crumbs: then four bytes count as
        one. In big pieces a token is taken for eight bytes, more than any tokenizer packs into each over a whole text.
        """
        return max(min(self.pieces, self.size // 4), self.size // 8)


@dataclass(frozen=True)
class ModelRequest:
    """One call. ``fingerprint`` is a sha256 of the prompt with everything measured on this machine left out.

    Of a reply ``max_bytes`` are kept. With a ``session`` it is a command's work on a file.
    """

    key: CallKey
    model: ModelSpec
    messages: tuple[Message, ...]
    fingerprint: str
    max_bytes: int = ReplyForm.max_bytes
    meter: Meter = field(default_factory=Meter, compare=False, repr=False)
    session: Session | None = field(default=None, compare=False)


TOO_LONG = "too_long"
"""The reason why a reply ends that was longer than its form allows: the rest was dropped."""
CUT_SHORT = "length"
"""The reason why a reply ends that needed more tokens than it was given."""
ENDLESS = "endless"
"""The reason why a reply ends that went on beyond the tokens that it was given, and was broken off."""


@dataclass(frozen=True)
class ModelReply:
    """``answered_by`` is the id that really answered (a fallback's, if one took over).

    ``origin`` is ``live``, ``recorded`` or ``manual``; ``notes`` say what the user should know, such as a prompt that
    has changed since its recording.
    """

    text: str
    usage: Usage
    answered_by: str
    origin: str
    finish_reason: str = "stop"
    notes: tuple[str, ...] = ()


class Failure(StrEnum):
    """Why a provider gave no reply."""

    AUTH = "auth"
    RATE_LIMIT = "rate_limit"
    SERVER = "server"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    INVALID_RESPONSE = "invalid_response"
    REQUEST = "request"
    NO_RECORDING = "no_recording"

    @property
    def transient(self) -> bool:
        """True when the same call may succeed later."""
        return self in {
            Failure.RATE_LIMIT,
            Failure.SERVER,
            Failure.TIMEOUT,
            Failure.CONNECTION,
            Failure.INVALID_RESPONSE,
        }


class ProviderError(PrerequisiteError):
    """A provider gave no reply; the run stops cleanly and can be resumed.

    ``retry_after`` is the number of seconds that the server asked to wait, where it did; ``usage`` what it says that
    the call took, where it says so.
    """

    exit_code = ExitCode.PREREQUISITE

    def __init__(
        self, failure: Failure, message: str, retry_after: float | None = None, usage: Usage | None = None
    ) -> None:
        self.failure = failure
        self.retry_after = retry_after
        self.usage = usage
        super().__init__(message)


class Provider(Protocol):
    """Answers one request once: no retries, no limits, no accounting; the gateway has those."""

    async def complete(self, request: ModelRequest) -> ModelReply:
        """One reply, or `ProviderError`."""
        ...


Params = Mapping[str, Any]
