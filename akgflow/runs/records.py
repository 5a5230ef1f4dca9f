"""The values in a run's journal: one type for each kind of finished effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from akgflow.agents import Examples
from akgflow.base.serial import fit
from akgflow.budget.usage import AbortedSpend
from akgflow.features import OperatorFeatures
from akgflow.models.base import CallKey, ModelReply
from akgflow.runs.result import ShownKernel
from akgflow.verdict import Verdict


@dataclass(frozen=True)
class Finished:
    """A model call as the journal keeps it."""

    key: CallKey
    fingerprint: str
    reply: ModelReply


@dataclass(frozen=True)
class Preflight:
    """The result of the self-test for one target."""

    target: str
    canaries: int
    """How many kernels of known verdict were judged."""
    seconds: float
    """What the judgements took now."""
    notes: tuple[str, ...] = ()
    """What a reader should know about it."""
    cached: bool = False

    def with_more(self, other: Preflight) -> Preflight:
        """Both as one."""
        return Preflight(
            self.target,
            self.canaries + other.canaries,
            round(self.seconds + other.seconds, 2),
            self.notes + other.notes,
            self.cached and other.cached,
        )

    def __str__(self) -> str:
        how = "as on an earlier run" if self.cached else f"in {self.seconds:.1f} s"
        notes = "".join(f"; {note}" for note in self.notes)
        return f"the judge was tried on {self.target} with {self.canaries} kernels of known verdict: right {how}{notes}"


@dataclass(frozen=True)
class StoredKernels:
    """The kernels that a job has added to the store."""

    ids: tuple[str, ...]
    """Of the entries."""
    note: str = ""
    """Why there are none."""


def shown_kernels(examples: Examples) -> tuple[ShownKernel, ...]:
    """What a job's prompts show of the store."""
    return tuple(ShownKernel(kernel.id, kernel.task, kernel.target) for kernel in examples.kernels)


@dataclass(frozen=True)
class Seed:
    """One candidate's source text, and where it comes from, for people."""

    source: str
    origin: str


@dataclass(frozen=True)
class Seeds:
    """The seeds that were found, the most promising first; ``why`` says why there are none."""

    found: tuple[Seed, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class AgentSession:
    """An agent has begun to work in a folder: how often it may ask the judge, and for how long it may work."""

    agent: str
    judgements: int
    minutes: float


RECORDS: Mapping[str, type] = {
    "asked": str,
    "call": Finished,
    "canaries": Preflight,
    "examples": Examples,
    "features": OperatorFeatures,
    "form": str,
    "kept": StoredKernels,
    "lost": AbortedSpend,
    "seeds": Seeds,
    "session": AgentSession,
    "trial": Verdict,
    "verdict": Verdict,
}
"""The type of an entry's data, by the first word of its key."""


def why_unfit(key: str, data: Any) -> str:
    """Why ``data`` does not fit the type of ``key``; empty where it does."""
    kind = RECORDS.get(key.partition(" ")[0])
    if kind is None:
        return ""
    try:
        fit(data, kind)
    except ValueError as wrong:
        return str(wrong)
    return ""
