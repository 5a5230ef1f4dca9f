"""The kinds of steps that a workflow is made of: one module each, and the one table of them all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from akgflow.config.steps.adaptive import AdaptiveStep
from akgflow.config.steps.agent import AgentStep
from akgflow.config.steps.base import Cap, Crew, Kind
from akgflow.config.steps.best_of import BestOfStep
from akgflow.config.steps.evolve import EvolveStep
from akgflow.config.steps.repair import RepairStep
from akgflow.config.steps.seed import SeedStep
from akgflow.config.steps.tune import TuneStep
from akgflow.serial import from_data

Step = AgentStep | RepairStep | BestOfStep | EvolveStep | AdaptiveStep | TuneStep | SeedStep

KINDS: Mapping[str, type[Step]] = {
    "repair": RepairStep,
    "best_of": BestOfStep,
    "evolve": EvolveStep,
    "adaptive": AdaptiveStep,
    "tune": TuneStep,
    "seed": SeedStep,
    "agent": AgentStep,
}
"""By the key that makes a step one of this kind; where several are written, the first one here decides."""

FROM_EARLIER = ("repair", "evolve", "adaptive", "tune")
"""Keys that name earlier steps: one, or a list of them."""


def read_step(name: str, data: Mapping[str, Any]) -> Step:
    """The step ``name`` from its YAML, which fits the schema: its keys are the fields of its kind."""
    kind = next(kind for key, kind in KINDS.items() if key in data)
    lists = {field.name for field in fields(kind) if str(field.type).startswith("tuple")}
    whole = {key: [value] if key in lists and isinstance(value, str) else value for key, value in data.items()}
    return from_data({"name": name, **whole}, kind)


__all__ = [
    "FROM_EARLIER",
    "KINDS",
    "AdaptiveStep",
    "AgentStep",
    "BestOfStep",
    "Cap",
    "Crew",
    "EvolveStep",
    "Kind",
    "RepairStep",
    "SeedStep",
    "Step",
    "TuneStep",
    "read_step",
]
