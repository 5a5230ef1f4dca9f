"""Verified kernels of the same or an equal operator from the knowledge store."""

from __future__ import annotations

from akgflow.config.steps import SeedStep
from akgflow.engine.context import RunContext
from akgflow.engine.seeds.base import Seed, Seeds
from akgflow.engine.state import JobState


async def seeds(step: SeedStep, state: JobState, run: RunContext) -> Seeds:
    """The fastest kernels that could answer the job's operator unchanged; the step judges them again."""
    found = await run.knowledge.seeds(state.job, step.most)
    if not found:
        return Seeds(why="the knowledge store has no kernel of this operator in this language")
    return Seeds(
        tuple(Seed(f.entry.source, f"kernel {f.entry.id} of {f.entry.task} on {f.entry.target}") for f in found)
    )
