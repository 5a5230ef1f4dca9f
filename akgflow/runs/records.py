"""What a run's journal holds: one value for each kind of finished effect."""

from __future__ import annotations

from dataclasses import dataclass

from akgflow.models.base import CallKey, ModelReply


@dataclass(frozen=True)
class Finished:
    """A model call as the journal keeps it."""

    key: CallKey
    fingerprint: str
    reply: ModelReply


@dataclass(frozen=True)
class Preflight:
    """The canaries at one place: the target's name, how many were judged, and what should be known about it.

    ``seconds`` are the judgements' own.
    """

    target: str
    canaries: int
    seconds: float
    notes: tuple[str, ...] = ()
    cached: bool = False

    def __str__(self) -> str:
        how = "as on an earlier run" if self.cached else f"in {self.seconds:.1f} s"
        notes = "".join(f"; {note}" for note in self.notes)
        return f"the judge was tried on {self.target} with {self.canaries} kernels of known verdict: right {how}{notes}"


@dataclass(frozen=True)
class Kept:
    """What a job has added to the store: ids of entries, and why nothing where there are none."""

    ids: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True)
class Seed:
    """One candidate's source text, and where it comes from in a few words."""

    source: str
    origin: str


@dataclass(frozen=True)
class Seeds:
    """What was found, the most promising first; where nothing was, ``why`` says so in a sentence."""

    found: tuple[Seed, ...] = ()
    why: str = ""
