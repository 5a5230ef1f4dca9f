"""The protocol of a source of first candidates."""

from __future__ import annotations

from typing import Protocol

from akgflow.config.steps import SeedStep
from akgflow.engine.context import RunContext
from akgflow.engine.state import JobState
from akgflow.runs.records import Seed, Seeds

__all__ = ["Seed", "Seeder", "Seeds"]


class Seeder(Protocol):
    """Finds up to ``step.most`` candidates for a job; its result is journaled, so it runs once in a run.

    It asks no model and runs no candidate: the step judges them.
    """

    async def __call__(self, step: SeedStep, state: JobState, run: RunContext) -> Seeds:
        """The seeds; where something is missing, ``Seeds.why`` says so and nothing is raised."""
        ...
