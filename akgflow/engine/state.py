"""The state of a job while it runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from akgflow.models.base import ModelReply
from akgflow.planning import Job
from akgflow.runs.result import Attempt, Gain
from akgflow.search import Judged, speed_of

DUPLICATE = "TWIN"
"""The status of an attempt that made a program that the job has already."""


def malformed(step: str, attempt: int, sample: int, reason: str) -> Attempt:
    """The attempt whose reply was malformed twice and gave no candidate."""
    return Attempt(step, attempt, sample, "", "MALFORMED_REPLY", reason)


class Asked(NamedTuple):
    """An agent and the candidate that it was to change: empty for a first one, or for any."""

    agent: str
    candidate: str = ""


@dataclass
class JobState:
    """Grows as the job's steps run."""

    job: Job
    sketch: str = ""
    texts: dict[str, str] = field(default_factory=dict)
    """Replies in text or JSON by the step that asked for them."""
    made: dict[str, list[Judged]] = field(default_factory=dict)
    """The candidates of each step, in an order that depends on the replies alone: those that it took from earlier
    steps to improve on, then those that it made."""
    attempts: list[Attempt] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """Sentences for the reader of the result, such as why a search ended early."""
    calls: int = 0
    tokens: int = 0
    """Of all calls for this job."""
    device_seconds: float = 0.0
    """Of its judgements and rankings."""
    gains: list[Gain] = field(default_factory=list)
    _judged: set[str] = field(default_factory=set)
    origins: set[str] = field(default_factory=set)
    """Where replies came from: ``live``, ``recorded``, ``manual``."""
    stuck: set[Asked] = field(default_factory=set)
    """What is not asked again: the same malformed reply came twice."""
    _repeated: dict[tuple[str, int, int], Asked] = field(default_factory=dict)
    """The same by step, attempt and sample, for attempts that are not added yet."""

    def repeated(self, attempt: Attempt, asked: Asked) -> Attempt:
        """``attempt``, whose two replies were the same; once it is added, ``asked`` is stuck.

        Not before: of calls that are made concurrently none may depend on which ends first.
        """
        self._repeated[attempt.step, attempt.attempt, attempt.sample] = asked
        return attempt

    def note(self, reply: ModelReply) -> None:
        """Count a call that was made for this job."""
        self.calls += 1
        self.tokens += reply.usage.tokens
        self.origins.add(reply.origin)

    def held(self, name: str, seconds: float) -> None:
        """Count what a judgement or a ranking took, once for each ``name``."""
        self.device_seconds += 0.0 if name in self._judged else seconds
        self._judged.add(name)

    @contextlib.contextmanager
    def gain(self, step: str) -> Iterator[None]:
        """Note what a step came to, however it ends."""
        tokens, judged, seconds = self.tokens, len(self.attempts), self.device_seconds
        try:
            yield
        finally:
            best = self.best()
            speed = speed_of(best.verdict) if best else None
            self.gains.append(
                Gain(
                    step,
                    str(best.verdict.status) if best else "",
                    (speed.ratio, speed.low, speed.high) if speed else None,
                    self.tokens - tokens,
                    sum(bool(one.candidate) and one.status != DUPLICATE for one in self.attempts[judged:]),
                    self.device_seconds - seconds,
                )
            )

    def add(self, made: Judged | Attempt | None) -> Judged | None:
        """Add a judged candidate, or an attempt that gave none; returns the candidate."""
        if isinstance(made, Judged):
            self.made.setdefault(made.candidate.step, []).append(made)
            self._attempted(made, made.verdict.status, made.verdict.message)
            return made
        if made is not None:
            self.attempts.append(made)
            asked = self._repeated.pop((made.step, made.attempt, made.sample), None)
            self.stuck |= {asked} if asked else set()
        return None

    def add_new(self, made: Judged | Attempt | None) -> Judged | None:
        """The same for a search: a program that the job has already is noted as a duplicate and not added."""
        same = self._duplicate(made) if isinstance(made, Judged) else None
        if not isinstance(made, Judged) or same is None:
            return self.add(made)
        here = same.candidate
        self._attempted(
            made, DUPLICATE, f"the same program as {here.step} {here.attempt}-{here.sample}, not judged again"
        )
        return None

    def trial(self, made: Judged) -> None:
        """Note what was judged while an agent was at work; it is no candidate of the job."""
        self._attempted(made, made.verdict.status, made.verdict.message)

    def hand_on(self, step: str, pool: Iterable[Judged]) -> None:
        """Add the candidates that a step starts from to those that it hands on."""
        self.made.setdefault(step, []).extend(pool)

    def pool(self, steps: Iterable[str]) -> list[Judged]:
        """The candidates that these steps hand on, each once."""
        found: dict[str, Judged] = {}
        for judged in (judged for step in steps for judged in self.made.get(step, [])):
            found.setdefault(judged.candidate.id, judged)
        return list(found.values())

    def attempts_of(self, step: str, attempt: int) -> list[Attempt]:
        """All samples of one attempt of a step that were added."""
        return [made for made in self.attempts if (made.step, made.attempt) == (step, attempt)]

    def best(self, step: str | None = None) -> Judged | None:
        """The best candidate of one step, or of all."""
        pools = [self.made.get(step, [])] if step else self.made.values()
        return max((judged for pool in pools for judged in pool), key=lambda judged: judged.worth, default=None)

    def _duplicate(self, made: Judged) -> Judged | None:
        every = (judged for pool in self.made.values() for judged in pool)
        return next((judged for judged in every if judged.candidate.id == made.candidate.id), None)

    def _attempted(self, made: Judged, status: str, message: str) -> None:
        of = made.candidate
        self.attempts.append(Attempt(of.step, of.attempt, of.sample, of.id, status, message))
