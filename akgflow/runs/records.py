"""What a run's journal holds: one value for each kind of finished effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from akgflow.agents import Examples
from akgflow.base.serial import fit
from akgflow.budget.usage import AbortedSpend
from akgflow.models.base import CallKey, ModelReply
from akgflow.verdict import OperatorFeatures, Verdict


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


RECORDS: Mapping[str, type] = {
    "call": Finished,
    "canaries": Preflight,
    "examples": Examples,
    "features": OperatorFeatures,
    "form": str,
    "kept": Kept,
    "lost": AbortedSpend,
    "seeds": Seeds,
    "verdict": Verdict,
}
"""What a key's first word says about its data."""


def why_unfit(key: str, data: Any) -> str:
    """Why ``data`` is not what ``key`` says; empty where it is."""
    kind = RECORDS.get(key.partition(" ")[0])
    if kind is None:
        return ""
    try:
        fit(data, kind)
    except ValueError as wrong:
        return str(wrong)
    return ""
