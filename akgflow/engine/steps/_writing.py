"""What steps that ask for code have in common: one reply asked for, read and judged; several of them side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from random import Random

from akgflow.agents import CandidateView, HistoryEntry, MalformedReply, PromptContext, Rendered, describe, summary
from akgflow.engine.context import RunContext, Turn
from akgflow.engine.state import JobState, malformed
from akgflow.runs.result import Attempt
from akgflow.search import Candidate, Judged

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
    """Ask ``agent``; its code is judged, and any other answer is kept for later prompts.

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
    state.texts[turn.step] = text
    if form == "sketch" or agent == run.designer:
        state.sketch = text
    return None


async def breed(
    state: JobState,
    run: RunContext,
    agent: str,
    turn: Turn,
    *,
    parents: Sequence[Judged],
    inspirations: Sequence[Judged],
    tried: Sequence[Attempt] = (),
) -> Made:
    """Ask ``agent`` for a candidate that goes on from ``parents``; ``tried`` is what was made of the first one before.

    The first parent stands as the agent's own last reply, which edits change.
    """
    context = replace(
        run.prompt_context(state),
        candidate=parents[0].candidate.source if parents else "",
        feedback=describe(parents[0].verdict) if parents else "",
        attempt=turn.attempt,
        parents=tuple(map(_view, parents)),
        inspirations=tuple(map(_view, inspirations)),
        history=tuple(HistoryEntry(i, a.status, summary(a.message)) for i, a in enumerate(tried, 1)),
    )
    return await write(state, run, agent, turn, context)


def _view(judged: Judged) -> CandidateView:
    return CandidateView(judged.candidate.source, judged.verdict.status, describe(judged.verdict))


async def side_by_side(works: Sequence[Awaitable[Made]], add: Callable[[Made], Judged | None]) -> list[Judged | None]:
    """Do all at once and ``add`` what was made in the order given; what each came to.

    One that fails lets the others finish and be kept, for they are paid for; its error is raised then.
    """
    ended = await asyncio.gather(*works, return_exceptions=True)
    kept = [add(one) for one in ended if not isinstance(one, BaseException)]
    for failed in ended:
        if isinstance(failed, BaseException):
            raise failed
    return kept


def chance(seed: int, state: JobState, *place: object) -> Random:
    """What is left to chance at one place of a job: the same whenever the job is run, whatever came back first."""
    return Random(f"{seed} {state.job.id} {' '.join(map(str, place))}")
