"""A plan: the task made concrete. Pure data; equal inputs give equal plans and equal digests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from akgflow.config.types import Budget, Gates, Scalar
from akgflow.machine import Machine
from akgflow.terms import Evidence


@dataclass(frozen=True)
class Reach:
    """What can be seen of one DSL on one target from this machine.

    ``gaps`` gives, for each evidence that the DSL's pack offers there and that is out of reach, the reason.
    ``at`` names the cluster where it is judged, and what a judgement takes of it; empty for this machine.
    """

    evidence: tuple[Evidence, ...]
    gaps: Mapping[Evidence, str]
    at: str = ""


@dataclass(frozen=True)
class PlannedStep:
    """One step with its bounds.

    ``asks`` counts the calls of each agent, and ``verdicts`` the judgements: worst cases, resends of malformed replies
    included. What a ``shared`` step asks for is asked once for all jobs. A prompt may show ``shown`` earlier replies.
    """

    name: str
    does: str
    asks: Mapping[str, int]
    verdicts: int
    shared: bool = False
    shown: int = 2
    session: int = 0
    """Where its call is a whole session of an agent: the tokens that are reserved for it."""
    faster: bool = False
    """Whether all that it does is to make right kernels faster."""
    idle: bool = False
    """Whether it hands on what it is given, and does nothing."""

    @property
    def agents(self) -> tuple[str, ...]:
        """Who may be asked."""
        return tuple(self.asks)

    def without_execution(self) -> PlannedStep:
        """The same step where nothing is executed."""
        if not self.faster:
            return self
        return PlannedStep(self.name, "nothing: no speed is measured here", {}, 0, idle=True)

    @property
    def calls(self) -> int:
        """Worst-case model calls."""
        return sum(self.asks.values())


@dataclass(frozen=True)
class Job:
    """One matrix cell. A job that cannot run says why in ``impossible`` and has no steps."""

    id: str
    dsl: str
    target: str
    platform: str
    arch: str
    reach: Reach
    steps: tuple[PlannedStep, ...] = ()
    impossible: str = ""

    @property
    def calls(self) -> int:
        """Worst-case model calls of this job alone."""
        return sum(step.calls for step in self.steps if not step.shared)


@dataclass(frozen=True)
class SourceCheck:
    """How the source kernel is checked before anything is spent."""

    dsl: str
    target: str
    reach: Reach


@dataclass(frozen=True)
class Ceiling:
    """Worst case of the whole plan.

    ``reply_tokens`` is calls x the model's ``max_tokens``, twice that where a call asks again. ``prompt_tokens`` bounds
    the prompts: the first prompts as they are rendered, a token for every two bytes, and in each as many of the longest
    replies as its step may show. ``usd`` prices both, and is None where the price of a model in use is unknown
    (``unpriced`` names it).
    """

    calls: int
    verdicts: int
    prompt_tokens: int
    reply_tokens: int
    usd: float | None
    unpriced: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A task made concrete for one machine.

    ``inputs`` holds a sha256 of every text that the plan depends on: operator, source kernel, prompts, knowledge.
    ``models`` maps the model names in use to their ids.
    """

    task: str
    kind: str
    workflow: str
    operator: str
    cases: tuple[Mapping[str, Scalar], ...]
    dtype: str | None
    gates: Gates
    budget: Budget
    models: Mapping[str, str]
    source: SourceCheck | None
    jobs: tuple[Job, ...]
    ceiling: Ceiling
    machine: Machine
    inputs: Mapping[str, str]
    shapes: str = ""
    """Which shapes are tried beside the cases, in words."""

    @property
    def runnable(self) -> tuple[Job, ...]:
        """The jobs that can run."""
        return tuple(job for job in self.jobs if not job.impossible)
