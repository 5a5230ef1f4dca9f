"""How each kind of step runs: one module for each, behind one protocol; a step changes the state of its job only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from akgflow.config.steps import AgentStep, RepairStep, Step
from akgflow.engine.context import RunContext
from akgflow.engine.state import JobState
from akgflow.engine.steps import agent, repair

Run = Callable[[Any, JobState, RunContext], Awaitable[None]]
"""``run(step, state, context)`` of the module of the step's kind."""

RUNS: Mapping[type[Step], Run] = {AgentStep: agent.run, RepairStep: repair.run}


async def run_step(step: Step, state: JobState, run: RunContext) -> None:
    """Run one step of a job."""
    await RUNS[type(step)](step, state, run)


__all__ = ["RUNS", "run_step"]
