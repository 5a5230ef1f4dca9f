"""One module per kind of step, behind one protocol: a step changes the state of its job and nothing else."""

from __future__ import annotations

from akgflow.config.types import AgentStep, Step
from akgflow.engine.context import RunContext
from akgflow.engine.state import JobState
from akgflow.engine.steps import agent, repair


async def run_step(step: Step, state: JobState, run: RunContext) -> None:
    """Run one step of a job."""
    if isinstance(step, AgentStep):
        await agent.run(step, state, run)
    else:
        await repair.run(step, state, run)


__all__ = ["run_step"]
