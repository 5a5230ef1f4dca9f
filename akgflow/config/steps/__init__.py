"""The kinds of steps that a workflow is made of: one module each, and the one table of them all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal

from akgflow.config.steps.adaptive import AdaptiveStep
from akgflow.config.steps.agent import AgentStep
from akgflow.config.steps.agentic import AgenticStep
from akgflow.config.steps.base import AgentRoles, Cap, Kind
from akgflow.config.steps.best_of import BestOfStep
from akgflow.config.steps.evolve import EvolveStep
from akgflow.config.steps.repair import RepairStep
from akgflow.config.steps.seed import SeedStep
from akgflow.config.steps.tune import TuneStep

Step = AgentStep | RepairStep | BestOfStep | EvolveStep | AdaptiveStep | TuneStep | SeedStep | AgenticStep

KINDS: Mapping[str, type[Step]] = {
    "repair": RepairStep,
    "best_of": BestOfStep,
    "evolve": EvolveStep,
    "adaptive": AdaptiveStep,
    "tune": TuneStep,
    "seed": SeedStep,
    "agentic": AgenticStep,
    "agent": AgentStep,
}
"""By the key that makes a step one of this kind; where several are written, the first one here decides."""

FROM_EARLIER = ("repair", "evolve", "adaptive", "tune", "start")
"""Keys that name earlier steps: one, or a list of them."""


Role = Literal["ask", "write", "mend", "breed", "advise", "work"]
"""What an agent does in a step: answers, writes and repairs candidates, repairs, breeds, advises, works in a folder."""

ROLES: Mapping[str, Mapping[str, Role]] = {
    "agent": {"agent": "ask"},
    "best_of": {"agent": "write"},
    "repair": {"agent": "mend", "advisor": "advise"},
    "evolve": {"agent": "breed"},
    "adaptive": {"agent": "breed"},
    "agentic": {"agentic": "work"},
}
"""By the kind of a step, the keys that name agents and what these do there."""


def kind_of(step: Step) -> str:
    """The key that makes a step one of its kind."""
    return next(key for key, kind in KINDS.items() if isinstance(step, kind))


def read_step(name: str, data: Mapping[str, Any]) -> Step:
    """The step ``name`` from its YAML, which fits the schema: its keys are the fields of its kind."""
    kind = next(kind for key, kind in KINDS.items() if key in data)
    types = {field.name: str(field.type) for field in fields(kind)}
    return kind(name=name, **{key: _as_field(value, types[key]) for key, value in data.items()})


def _as_field(value: Any, kind: str) -> Any:
    """A YAML value as a field of that type takes it: one name is a list of one, an integer may be a real number."""
    if kind.startswith("tuple"):
        inner = kind.removeprefix("tuple[").partition(",")[0]
        return tuple(_as_field(one, inner) for one in (value if isinstance(value, list) else [value]))
    return float(value) if kind.startswith("float") and value is not None else value


__all__ = [
    "FROM_EARLIER",
    "KINDS",
    "ROLES",
    "AdaptiveStep",
    "AgentRoles",
    "AgentStep",
    "AgenticStep",
    "BestOfStep",
    "Cap",
    "EvolveStep",
    "Kind",
    "RepairStep",
    "Role",
    "SeedStep",
    "Step",
    "TuneStep",
    "kind_of",
    "read_step",
]
