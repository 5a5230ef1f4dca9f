"""The step ``agent``: ask for one or several replies; code is judged, other answers are kept for later prompts."""

from __future__ import annotations

from akgflow.config.steps import AgentStep
from akgflow.engine.context import RunContext, Turn
from akgflow.engine.state import JobState
from akgflow.engine.steps._writing import side_by_side, write


async def run(step: AgentStep, state: JobState, run: RunContext) -> None:
    """Ask for all samples concurrently."""
    context = run.prompt_context(state)
    turns = [Turn(step.name, 1, sample) for sample in range(1, step.samples + 1)]
    await side_by_side([write(state, run, step.agent, turn, context) for turn in turns], state.add)
