"""What the judge and the fork server, both trusted, say to each other. The server's first message is `Ready`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, TypeVar

from akgflow.verification.sandbox import Bounds

M = TypeVar("M", bound="_Message")


@dataclass(frozen=True)
class _Message:
    def data(self) -> dict[str, Any]:
        """The message as JSON."""
        return asdict(self)

    @classmethod
    def of(cls: type[M], data: Mapping[str, Any]) -> M:
        """The inverse of `data`; raises `TypeError` where the two sides are not the same version."""
        return cls(**data)


@dataclass(frozen=True)
class Ready(_Message):
    """Torch is loaded; these files with code are mapped, and will be in every candidate's process."""

    libraries: Sequence[str]


@dataclass(frozen=True)
class Spawn(_Message):
    """Fork a candidate's process; its end of the channel and its log come along as descriptors."""

    op: ClassVar = "spawn"
    bounds: Bounds

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Spawn:
        bounds = data["bounds"]
        return cls(Bounds(**(bounds | {"reads": tuple(bounds["reads"])})))


@dataclass(frozen=True)
class Spawned(_Message):
    """Process ids as the judge sees them and the layers of the sandbox that hold; or why no process was started."""

    guard: int
    pid: int
    layers: Sequence[str]
    failed: str = ""
    errno: int = 0


@dataclass(frozen=True)
class End(_Message):
    """End a candidate and all that it started, after it has had ``grace`` seconds to end itself."""

    op: ClassVar = "end"
    guard: int
    grace: float


@dataclass(frozen=True)
class Ended(_Message):
    """The wait status, as `os.waitpid` gives it, and whether the process had to be killed."""

    status: int
    killed: bool


@dataclass(frozen=True)
class NameFunction(_Message):
    """Which function is at this address in every candidate's process?"""

    op: ClassVar = "name"
    address: int


@dataclass(frozen=True)
class Named(_Message):
    """Its name, where it is one of those that candidates may not call."""

    name: str | None


Request = Spawn | End | NameFunction
REQUESTS: Mapping[str, type[Spawn] | type[End] | type[NameFunction]] = {
    kind.op: kind for kind in (Spawn, End, NameFunction)
}


def request_in(message: Mapping[str, Any]) -> Request:
    """The request of a message."""
    return REQUESTS[message["op"]].of({name: value for name, value in message.items() if name != "op"})
