"""How each kind of step runs: one module each, behind one protocol. A step changes only the state of its job."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from akgflow.config.steps import (
    AdaptiveStep,
    AgenticStep,
    AgentStep,
    BestOfStep,
    EvolveStep,
    RepairStep,
    SeedStep,
    Step,
    TuneStep,
)
from akgflow.engine.context import RunContext
from akgflow.engine.state import JobState
from akgflow.engine.steps import adaptive, agent, agentic, best_of, evolve, repair, seed, tune

Run = Callable[[Any, JobState, RunContext], Awaitable[None]]
"""``run(step, state, context)`` of the module of the step's kind."""

RUNS: Mapping[type[Step], Run] = {
    AgentStep: agent.run,
    RepairStep: repair.run,
    BestOfStep: best_of.run,
    EvolveStep: evolve.run,
    AdaptiveStep: adaptive.run,
    TuneStep: tune.run,
    SeedStep: seed.run,
    AgenticStep: agentic.run,
}


async def run_step(step: Step, state: JobState, run: RunContext) -> None:
    """Run one step of a job."""
    await RUNS[type(step)](step, state, run)


__all__ = ["RUNS", "run_step"]
