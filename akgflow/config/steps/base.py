"""What each kind of step declares, so that plans are checked, printed and priced without running anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class AgentRoles:
    """The agents by what they reply with, as far as caps depend on it."""

    coders: frozenset[str]
    """Agents whose replies are code."""
    designer: str | None = None
    """The agent that a redesign asks; None where the workflow has none."""


@dataclass(frozen=True)
class Cap:
    """The most that one run of a step can take."""

    does: str
    """What the step does and where it ends, for people."""
    asks: Mapping[str, int]
    """Replies by agent, without the repeated requests for malformed ones."""
    verdicts: int
    """Judgements."""
    shown: int = 2
    """Earlier replies that a prompt of the step may hold: the sketch, the candidate, advice, other candidates."""
    session: int = 0
    """Where a call is a whole session of an agent: the tokens that it may take, in and out."""
    faster: bool = False
    """Whether all that it does is to make right kernels faster: nothing, where nothing is executed."""


class Kind(Protocol):
    """One kind of step: a frozen dataclass whose fields are the keys of its YAML.

    The schema ``schemas/agents.schema.json`` describes the same keys; ``akgflow/engine/steps`` has a module of the
    same name that runs it.
    """

    @property
    def name(self) -> str:
        """The step's own name in its workflow."""
        ...

    def cap(self, roles: AgentRoles, /) -> Cap:
        """The worst case."""
        ...


def enough(headroom: float | None, patience: int | None, unit: str) -> str:
    """When a step ends before its cap, for its plan."""
    reasons = [f"at {headroom:.0%} of the roofline"] if headroom is not None else []
    if patience is not None:
        reasons.append(f"when {patience} {unit} gain less than the noise")
    return f"; ends {' or '.join(reasons)}" if reasons else ""
