"""What a kind of step says about itself, so that plans can be checked, printed and priced without running anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Crew:
    """What caps need to know of the agents: whose replies are code, and whom a redesign asks (None: nobody)."""

    coders: frozenset[str]
    designer: str | None = None


@dataclass(frozen=True)
class Cap:
    """The most that one run of a step can take.

    ``does`` says in words what it does and where it ends; ``asks`` counts replies by agent, malformed ones that are
    asked for again not included; ``verdicts`` counts judgements. ``shown`` counts what a prompt of the step may hold
    of earlier replies: the sketch, the candidate, advice, other candidates.
    """

    does: str
    asks: Mapping[str, int]
    verdicts: int
    shown: int = 2


class Kind(Protocol):
    """One kind of step: a frozen dataclass whose fields are the keys of its YAML.

    The schema ``schemas/agents.schema.json`` describes the same keys; ``akgflow/engine/steps`` has a module of the
    same name that runs it.
    """

    @property
    def name(self) -> str:
        """The step's own name in its workflow."""
        ...

    def cap(self, crew: Crew, /) -> Cap:
        """The worst case."""
        ...


def enough(headroom: float | None, patience: int | None, unit: str) -> str:
    """When a step ends before its cap, for its plan."""
    reasons = [f"at {headroom:.0%} of the roofline"] if headroom is not None else []
    if patience is not None:
        reasons.append(f"when {patience} {unit} gain less than the noise")
    return f"; ends {' or '.join(reasons)}" if reasons else ""
