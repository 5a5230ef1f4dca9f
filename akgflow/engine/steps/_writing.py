"""What steps that ask for code have in common: one reply asked for, read and judged; several of them side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence

from akgflow.agents import MalformedReply, PromptContext
from akgflow.engine.context import RunContext, Turn
from akgflow.engine.result import Attempt
from akgflow.engine.state import Candidate, JobState, Judged, malformed

Made = Judged | Attempt | None
"""A judged candidate, an attempt that gave none, or nothing to keep because the reply was a text."""


async def write(state: JobState, run: RunContext, agent: str, turn: Turn, context: PromptContext) -> Made:
    """Ask ``agent``; its code is judged, its text becomes the job's sketch (the first sample's does)."""
    try:
        reply = await run.ask(state, agent, turn, context)
    except MalformedReply as reason:
        return malformed(turn.step, turn.attempt, turn.sample, str(reason))
    if run.workspace.agents[agent].reply.format == "code":
        return await run.judge_candidate(state, Candidate(reply.text, turn.step, turn.attempt, turn.sample))
    if turn.sample == 1:
        state.sketch = reply.text
    return None


async def side_by_side(state: JobState, works: Sequence[Awaitable[Made]]) -> list[Made]:
    """Do all at once and add what was made to the job in the order given.

    One that fails lets the others finish and be kept, for they are paid for; its error is raised then.
    """
    ended = await asyncio.gather(*works, return_exceptions=True)
    made = [one for one in ended if not isinstance(one, BaseException)]
    for one in made:
        if one is not None:
            state.add(one)
    for failed in ended:
        if isinstance(failed, BaseException):
            raise failed
    return made
