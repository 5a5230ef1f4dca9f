"""The protocol of a source of first candidates."""

from __future__ import annotations

from typing import Protocol

from akgflow.config.steps import SeedStep
from akgflow.engine.context import RunContext
from akgflow.engine.state import JobState
from akgflow.runs.records import Seed, Seeds

__all__ = ["Seed", "Seeder", "Seeds"]


class Seeder(Protocol):
    """Finds up to ``step.most`` candidates for a job; the journal keeps what it found, so it runs once in a run.

    It asks no model, and runs no candidate: judging is the step's.
    """

    async def __call__(self, step: SeedStep, state: JobState, run: RunContext) -> Seeds:
        """The seeds; whatever is missing is a reason in ``Seeds.why``, never an exception."""
        ...
