"""Candidates and their verdicts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from akgflow.agents import Rendered
from akgflow.search.quality import Worth, worth
from akgflow.verdict import Verdict


@dataclass(frozen=True)
class Candidate:
    """One kernel source and the attempt that made it; ``talk`` is the conversation that wrote it, if any.

    ``parents`` are the ids of the candidates that it was made from, the one that it changes first.
    """

    source: str
    step: str
    attempt: int
    sample: int
    parents: tuple[str, ...] = ()
    talk: Rendered | None = field(default=None, repr=False)

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits of the source's sha256: equal sources are one candidate."""
        return id_of(self.source)


def id_of(source: str) -> str:
    """The id of the candidate with this text."""
    return hashlib.sha256(source.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Judged:
    """A candidate with its verdict."""

    candidate: Candidate
    verdict: Verdict

    @property
    def worth(self) -> Worth:
        """Order among candidates of one job: how right, on what evidence, then how fast."""
        return worth(self.verdict)
