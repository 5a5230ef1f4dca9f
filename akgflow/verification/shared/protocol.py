"""Requests of the judge to a candidate's process, the replies, and what a false reply could gain.

A request is a frozen dataclass that both sides use. Its `read` gives the reply as a typed value or raises `Malformed`,
and nothing else, whatever was sent; the judge ends a candidate for that (`REFUSED`).

**Nothing that a candidate says counts in its favour.** Once its text is loaded, all that comes out of its process may
be forged: by code that takes the place of the harness's, by a thread that reads a request before the harness does, by
a child that holds the socket. So no reply is evidence. What each field is used for, and why a false one gains nothing:

``number``
    Echoes the number of the request: 128 random bits, drawn for each. A packet that is there before the request went
    out cannot hold it; one that does not hold it, and one that is left over after the reply, ends the candidate. A
    thread can read it, and then answers in the harness's place; after that the harness's own reply is one too many.
    A candidate that silences the harness as well can send any reply, which the rest of this table is about.
``Opened.device``
    Where the judge makes the shared memory. Sent before the candidate's text is read.
``Done`` (`Load`, `Build`, `Prepare`, `Optimize`, `PrepareWindows`, `Release`, `WarmUp`, `Idle`, `Silence`, `Ping`)
    Says that the next request may be sent. Sent early, the judge goes on, and reads bytes that are not there yet.
``Called.result``
    The form of the answer: nesting, shapes, dtypes, devices. A true answer with these properties is what the judge
    asks for; a candidate that claims them must still put the right bytes into the judge's memory, which are read as
    the *judge's* shapes and dtypes. What it saves is a view (``reshape``), which costs nothing. ``aliases`` (the answer
    is in memory of an input): the bytes are copied out before the judge looks, so that a false value saves one copy
    of a call that nobody times; while calls are timed the judge looks itself whose memory an answer is in
    (`akgflow.verification.judge.timing.windows.readback`; on a GPU memory of the judge's cannot be shared back to it).
``Called.kernels``
    Its absence is held against a candidate, its presence proves nothing: a kernel of the DSL can be launched and its
    result thrown away. The judge also uses what it sees itself (``sees_kernels`` of a toolchain: code that the
    process has mapped, artefacts on disk), and whether the answer needs the kernels is asked of a process in which
    they do nothing (`Silence`).
``Called.reuses``
    A warning and no timing. Denied, it shows in the timing: addresses that repeat, and answers that are not there.
``Answered.at``, ``Answered.strides``, ``Answered.segments``
    Where the judge reads the answers. It reads every byte itself, after the process was stopped (on a CPU), and
    compares. An address that cannot be read, a stride that leaves the answer, a segment that is larger than the
    allocation behind its handle: no answer. Strides say how the candidate's own bytes are to be read; they are bounded
    by the output's size.
`Silence`
    That a toolchain can silence its kernels is the judge's knowledge (``silences`` of the toolchain). A process that
    cannot, or says so, is refused. One that says it is silent and is not answers rightly and is ``FALLBACK``; for
    toolchains whose kernels are mapped files the judge looks, too. A process that finds out that it is silenced can
    be wrong on purpose, as it can where its answer needs a kernel only to find that out: `docs/judge.md` says so. An
    error gains no more than that wrong answer would. Only one that the process does not survive unharmed (`Ping`), an
    end by ``exit`` and a second packet are taken as what they are: forged.
``Failure.error``
    Which failure a verdict names; no kind passes. ``unsupported`` (not run) is believed of stand-ins only, for what
    they cannot do: never of what is `executed`. ``ours`` has the candidate judged once more, and counts the second
    time. No reply alone is a reason not to judge.
``Called.late``, ``Failure.message``, ``Failure.log``
    Words for the candidate's author, cut, as valid text; nothing else.

The kernel closes descriptors that come along. The judge never waits to send: a candidate that reads no requests is
ended. Process ids, layers and wait statuses come from the fork server, which runs no code of a candidate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, ClassVar, Generic, Literal, TypeVar

from akgflow.base.serial import from_data, to_data
from akgflow.config.types import Target, ToolchainFile
from akgflow.precision import Precision
from akgflow.terms import Evidence
from akgflow.verification.shared import fields as reading
from akgflow.verification.shared.fields import Fields

MODULE = "candidate.py"  # the candidate's text, in its scratch folder
PROFILE_INPUTS, PROFILE_REQUEST = "question.pt", "request.json"
"""What the profiled process is given: tensors, and what to do with them."""

MOST_TEXT = 8000  # characters of a message or a log that are kept
DEVICES = ("cpu", "cuda", "meta")

Tree = dict[str, Any]
"""A value's description, as `akgflow.verification.shared.memory` and `trusted_io` make it."""
Handle = Mapping[str, Any] | Literal["same"] | None
"""A region of shared memory; ``"same"``: the one of the last request; None: there is no memory (``meta``)."""
R = TypeVar("R")


class ErrorKind(StrEnum):
    """What went wrong in the candidate's process, in the words of its harness."""

    UNSUPPORTED = "unsupported"
    """The stand-in for a device cannot do this."""
    SYNTAX = "syntax"
    COMPILE = "compile"
    INVALID = "invalid"
    """The module is no candidate."""
    MEMORY = "memory"
    FALLBACK = "fallback"
    OURS = "ours"
    EXCEPTION = "exception"


# Replies.


@dataclass(frozen=True)
class Done:
    """The request was carried out; there is nothing to tell."""


@dataclass(frozen=True)
class Opened:
    """The session is prepared; tensors are on this device."""

    device: str


@dataclass(frozen=True)
class Called:
    """One call was made."""

    result: Tree
    kernels: Sequence[str]  # names of kernels of the DSL that ran or were built so far
    reuses: bool  # an answer is in the memory of the one before
    late: bool = False  # an answer changed after it was copied, in the order of the stream that was current


@dataclass(frozen=True)
class Answered:
    """A window was answered. All are None where the answers were copied to memory of the judge's."""

    at: list[list[int]] | None = None  # by output, the address of each answer
    strides: list[list[int]] | None = None  # by output, in elements
    segments: list[tuple[int, int, str]] | None = None
    """On a GPU: base address, bytes and handle (hexadecimal) of each allocation that holds answers."""


Reply = Done | Opened | Called | Answered


@dataclass(frozen=True)
class Failure:
    """The request was not carried out."""

    error: ErrorKind
    message: str
    log: str = ""

    @classmethod
    def read(cls, reply: Fields) -> Failure:
        """Raises `Malformed`."""
        kind = ErrorKind(reply.take("error", reading.one_of([kind.value for kind in ErrorKind])))
        message, log = (reply.take(name, reading.text(MOST_TEXT)) for name in ("message", "log"))
        return cls(kind, message, log)


# Requests.


@dataclass(frozen=True)
class SanitizeRequest:
    """What the process is to do that looks at ``recorded`` calls; it may write below ``scratch``."""

    toolchain: str | ToolchainFile
    kind: str
    scratch: str
    recorded: str


@dataclass(frozen=True)
class ProfileRequest:
    """What the profiled process is to do; it gives no reply."""

    toolchain: str | ToolchainFile
    target: Target
    scratch: str
    stand_in: bool
    on_gpu: bool


@dataclass(frozen=True)
class Request(Generic[R]):
    """Something that the judge asks of a candidate's process; ``R`` is the reply."""

    op: ClassVar[str]

    @property
    def calls(self) -> int:
        """How often the model is called for it."""
        return 0

    def read(self, reply: Fields) -> R:
        """The reply's fields as a typed value; raises `Malformed`."""
        raise NotImplementedError

    def fields(self) -> dict[str, Any]:
        """The request as JSON."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Request[R]:
        """The inverse of `fields`; raises `TypeError` where the two sides are not the same version."""
        return cls(**data)


class _Plain(Request[Done]):
    def read(self, reply: Fields) -> Done:  # noqa: ARG002
        return Done()


@dataclass(frozen=True)
class Open(Request[Opened]):
    """Prepare the process for a candidate: the toolchain's session, and what binds the framework if ``guarded``."""

    op = "open"
    toolchain: str | ToolchainFile
    evidence: Evidence
    target: Target
    prepared: Sequence[str]
    """Folders that the toolchain has made ahead."""
    guarded: bool
    tf32: tuple[bool, bool] = Precision.FRAMEWORK.tf32  # whether its products, and its convolutions, may use TF32
    records: str = ""  # the folder in which the session records what kernels are called with

    def read(self, reply: Fields) -> Opened:
        return Opened(reply.take("device", reading.one_of(DEVICES)))

    def fields(self) -> dict[str, Any]:
        return {name: to_data(value) for name, value in super().fields().items()}

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Open:
        return from_data(data, cls)


@dataclass(frozen=True)
class OpenBaseline(Request[Opened]):
    """Prepare the process for a trusted baseline."""

    op = "open_baseline"
    device: str
    tf32: Sequence[bool] = Precision.FRAMEWORK.tf32  # as of `Open`

    def read(self, reply: Fields) -> Opened:
        return Opened(reply.take("device", reading.one_of(DEVICES)))


@dataclass(frozen=True)
class Load(_Plain):
    """Import the module in ``path``, which must define ``entry``; ``as_file`` is where a baseline's text came from."""

    op = "load"
    path: str
    entry: str
    as_file: str | None = None


@dataclass(frozen=True)
class Build(_Plain):
    """Construct the model under a seed, as the reference was, and give it the judge's parameters."""

    op = "build"
    init: Tree
    state: Tree
    init_region: Handle
    state_region: Handle
    stand_in: bool = False  # the module stands for a source kernel, and takes parameters under any names
    mode: str | None = None  # ``eval`` or ``train``; None for the mode in which the model constructs itself
    moves: Sequence[str] = ()  # further groups of operators that are counted
    wanted: Mapping[str, Any] | None = None  # the fields of a `gradients.Wanted`, where calls give gradients, too
    seed: int = 0


@dataclass(frozen=True)
class Prepare(_Plain):
    """Have the model prepare for the weights that are in place; nothing to do where it does not define how."""

    op = "prepare"


@dataclass(frozen=True)
class Call(Request[Called]):
    """Call the model once. Inputs are ``base`` bytes further on in ``region``; ``outs`` are places for the answers.

    The operator itself changes the inputs with the numbers in ``changes``, and the buffers named in ``moves``.
    """

    op = "call"
    region: Handle
    inputs: Tree
    base: int
    out_region: Handle
    outs: Sequence[Mapping[str, Any]]
    changes: Sequence[int] = ()
    moves: Sequence[str] = ()
    between: Tree | None = None  # other inputs, for which ``forward`` is called before backward
    between_region: Handle = None

    @property
    def calls(self) -> int:
        return 1

    def read(self, reply: Fields) -> Called:
        kernels = reply.take("kernels", reading.listed(reading.text(200), 50))
        late = reply.take("late", reading.flag) if reply.has("late") else False
        return Called(reply.take("result", reading.tree), kernels, reply.take("reuses", reading.flag), late)


@dataclass(frozen=True)
class Optimize(_Plain):
    """Compile a baseline's model by `torch.compile` for these inputs."""

    op = "optimize"
    region: Handle
    inputs: Tree


@dataclass(frozen=True)
class Silence(_Plain):
    """Let no kernel of the DSL do anything from now on."""

    op = "silence"


@dataclass(frozen=True)
class Ping(_Plain):
    """Do nothing. Answered once, by a process that answered all before it once."""

    op = "ping"


@dataclass(frozen=True)
class PrepareWindows(_Plain):
    """Make the views of ``count`` slots, ``pitch`` bytes each, before any window is timed."""

    op = "prepare_windows"
    region: Handle
    out_region: Handle
    inputs: Tree
    outs: Sequence[Mapping[str, Any]]
    pitch: int
    out_pitch: int
    count: int


@dataclass(frozen=True)
class Idle(_Plain):
    """Wait until the device has nothing more to do: another process is timed next."""

    op = "idle"


@dataclass(frozen=True)
class Release(_Plain):
    """Let go of the last answers, and give memory that nothing uses back to the system: another process needs it."""

    op = "release"


@dataclass(frozen=True)
class WarmUp(_Plain):
    """Answer the ``n`` slots from ``first`` on ``times`` times, unmeasured."""

    op = "warm_up"
    first: int
    n: int
    times: int

    @property
    def calls(self) -> int:
        return self.n * self.times


@dataclass(frozen=True)
class Window(Request[Answered]):
    """Answer the ``n`` slots from ``first`` on; with ``again``, only say once more where the last answers are."""

    op = "window"
    first: int
    n: int
    again: bool

    @property
    def calls(self) -> int:
        return self.n

    def read(self, reply: Fields) -> Answered:
        if not reply.has("at"):
            return Answered()
        at, strides = (reply.take(name, reading.listed(reading.wholes, 1000)) for name in ("at", "strides"))
        segments = reply.take("segments", reading.listed(reading.segment, 10_000)) if reply.has("segments") else None
        return Answered(at, strides, segments)


_TIMING = (PrepareWindows, Release, WarmUp, Window, Idle)
_ALL = (Open, OpenBaseline, Load, Build, Prepare, Call, Optimize, Silence, Ping, *_TIMING)
REQUESTS: Mapping[str, type[Request[Any]]] = {kind.op: kind for kind in _ALL}


def request_in(message: Mapping[str, Any]) -> tuple[str, Request[Any]]:
    """The number and the request of a message, in the candidate's process."""
    data = dict(message)
    number, op = data.pop("number"), data.pop("op")
    return number, REQUESTS[op].of(data)
