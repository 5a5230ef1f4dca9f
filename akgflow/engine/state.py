"""What a job knows while it runs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from akgflow.agents import Rendered
from akgflow.engine.result import Attempt
from akgflow.models.base import ModelReply
from akgflow.planning import Job
from akgflow.terms import Status, strength
from akgflow.verdict import Verdict

# What is nearer to right comes later; ties go to the earlier candidate.
_WORTH = {
    Status.NOT_RUN: 0,
    Status.INVALID: 1,
    Status.REFUSED: 1,
    Status.FALLBACK: 1,
    Status.COMPILE_ERROR: 2,
    Status.OUT_OF_MEMORY: 3,
    Status.TIMEOUT: 3,
    Status.RUNTIME_ERROR: 3,
    Status.INCORRECT_SHAPE: 4,
    Status.INCORRECT_DTYPE: 4,
    Status.INCORRECT_NUMERICAL: 5,
    Status.PASSED: 6,
}


@dataclass(frozen=True)
class Candidate:
    """One kernel source and the attempt that made it; ``talk`` is the conversation that wrote it, where one did."""

    source: str
    step: str
    attempt: int
    sample: int
    talk: Rendered | None = field(default=None, repr=False)

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits of the source's sha256: equal sources are one candidate."""
        return hashlib.sha256(self.source.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Judged:
    """A candidate with its verdict."""

    candidate: Candidate
    verdict: Verdict

    @property
    def worth(self) -> tuple[int, tuple[int, ...], float]:
        """Order among candidates of one job: how right, on what evidence, then how fast."""
        speed = max((timing.speedup for timing in self.verdict.timing), default=0.0)
        return _WORTH[self.verdict.status], strength(self.verdict.evidence), speed


def malformed(step: str, attempt: int, sample: int, reason: str) -> Attempt:
    """An attempt that gave no candidate: its reply was malformed twice."""
    return Attempt(step, attempt, sample, "", "MALFORMED_REPLY", reason)


@dataclass
class JobState:
    """Grows as the job's steps run. ``made`` holds what each step has made, in order."""

    job: Job
    sketch: str = ""
    made: dict[str, list[Judged]] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    calls: int = 0
    origins: set[str] = field(default_factory=set)

    def note(self, reply: ModelReply) -> None:
        """A call that was made for this job."""
        self.calls += 1
        self.origins.add(reply.origin)

    def add(self, made: Judged | Attempt) -> None:
        """A judged candidate, or an attempt that gave none."""
        if isinstance(made, Attempt):
            self.attempts.append(made)
            return
        candidate, verdict = made.candidate, made.verdict
        self.made.setdefault(candidate.step, []).append(made)
        self.attempts.append(
            Attempt(candidate.step, candidate.attempt, candidate.sample, candidate.id, verdict.status, verdict.message)
        )

    def best(self, step: str | None = None) -> Judged | None:
        """The best candidate of one step, or of all."""
        pools = [self.made.get(step, [])] if step else self.made.values()
        return max((judged for pool in pools for judged in pool), key=lambda judged: judged.worth, default=None)
