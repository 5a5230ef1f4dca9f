"""What steps that ask for code have in common: one reply asked for, read and judged; several of them side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence

from akgflow.agents import MalformedReply, PromptContext, Rendered
from akgflow.engine.context import RunContext, Turn
from akgflow.engine.result import Attempt
from akgflow.engine.state import Candidate, JobState, Judged, malformed

Made = Judged | Attempt | None
"""A judged candidate, an attempt that gave none, or nothing to keep because the reply was a text."""


async def write(
    state: JobState,
    run: RunContext,
    agent: str,
    turn: Turn,
    context: PromptContext,
    earlier: Rendered | None = None,
) -> Made:
    """Ask ``agent``; its code is judged, its text becomes the job's sketch (the first sample's does).

    ``earlier`` is the conversation that wrote the candidate which is to be mended. A reply in the form of a sketch is
    asked for once and serves all jobs.
    """
    form = run.workspace.agents[agent].reply.format
    try:
        if form == "sketch":
            answer = await run.ask_once(state, agent, turn, context)
        else:
            answer = await run.ask(state, agent, turn, context, earlier)
    except MalformedReply as reason:
        return malformed(turn.step, turn.attempt, turn.sample, str(reason))
    text = answer.parsed.text
    if form == "code":
        candidate = Candidate(text, turn.step, turn.attempt, turn.sample, answer.talk)
        return await run.judge_candidate(state, candidate)
    if turn.sample == 1:
        state.sketch = text
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
