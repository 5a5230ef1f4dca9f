"""The step ``agent``: ask for one or several replies; code is judged, text becomes the job's sketch."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from akgflow.agents import MalformedReply
from akgflow.config.types import AgentStep
from akgflow.engine.context import RunContext, Turn
from akgflow.engine.state import Candidate, JobState


async def run(step: AgentStep, state: JobState, run: RunContext) -> None:
    """Ask for the samples side by side; one that fails lets the others finish, for they are paid for."""
    samples = [_sample(step, sample, state, run) for sample in range(1, step.samples + 1)]
    for ended in await asyncio.gather(*samples, return_exceptions=True):
        if isinstance(ended, BaseException):
            raise ended


async def _sample(step: AgentStep, sample: int, state: JobState, run: RunContext) -> None:
    context = replace(run.prompt_context(state.job), sketch=state.sketch)
    try:
        made = await run.ask(state, step.agent, Turn(step.name, 1, sample), context)
    except MalformedReply as malformed:
        state.add_failure(step.name, 1, sample, str(malformed))
        return
    if run.workspace.agents[step.agent].reply.format == "code":
        await run.judge_candidate(state, Candidate(made.text, step.name, 1, sample))
    elif sample == 1:
        state.sketch = made.text
