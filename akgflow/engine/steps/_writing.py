"""What steps that ask for code share: asks for a reply, reads and judges it; runs several of these concurrently."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from random import Random

from akgflow.agents import (
    CandidateView,
    HistoryEntry,
    MalformedReply,
    PromptContext,
    Rendered,
    RepeatedReply,
    describe,
    summary,
)
from akgflow.engine.context import RunContext, Turn
from akgflow.engine.state import Asked, JobState, malformed
from akgflow.runs.result import Attempt
from akgflow.search import Candidate, Judged

Made = Judged | Attempt | None
"""A judged candidate, an attempt that gave none, or None where the reply was a text."""


async def write(
    state: JobState,
    run: RunContext,
    agent: str,
    turn: Turn,
    context: PromptContext,
    earlier: Rendered | None = None,
    parents: Sequence[Judged] = (),
) -> Made:
    """Ask ``agent``; its code is judged, and any other answer is kept for later prompts.

    ``earlier`` is the conversation that wrote the candidate which is to be mended, ``parents`` what it is made from.
    A reply in the form of a sketch is asked for once and serves all jobs. Where the same malformed reply came twice
    already, nothing is asked.
    """
    asked = Asked(agent, context.candidate)
    if asked in state.stuck:
        reason = f"not asked: {agent} gave the same malformed reply twice"
        return malformed(turn.step, turn.attempt, turn.sample, reason)
    form = run.workspace.agents[agent].reply.format
    try:
        if form == "sketch":
            answer = await run.ask_once(state, agent, turn, context)
        else:
            answer = await run.ask(state, agent, turn, context, earlier)
    except RepeatedReply as reason:
        return state.repeated(malformed(turn.step, turn.attempt, turn.sample, str(reason)), asked)
    except MalformedReply as reason:
        return malformed(turn.step, turn.attempt, turn.sample, str(reason))
    text = answer.parsed.text
    if form == "code":
        made_from = tuple(judged.candidate.id for judged in parents)
        candidate = Candidate(text, turn.step, turn.attempt, turn.sample, made_from, answer.talk)
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
    """Ask ``agent`` for a child of ``parents``; ``tried`` are earlier attempts from the first of them.

    The first parent is shown as the agent's own last reply, which edits change.
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
    return await write(state, run, agent, turn, context, parents=parents)


def _view(judged: Judged) -> CandidateView:
    return CandidateView(judged.candidate.source, judged.verdict.status, describe(judged.verdict))


async def side_by_side(works: Sequence[Awaitable[Made]], add: Callable[[Made], Judged | None]) -> list[Judged | None]:
    """Run all concurrently and ``add`` their results in the order given; returns what ``add`` returned.

    Where one fails, the others finish and are added, since they are paid for; then its error is raised.
    """
    ended = await asyncio.gather(*works, return_exceptions=True)
    kept = [add(one) for one in ended if not isinstance(one, BaseException)]
    for failed in ended:
        if isinstance(failed, BaseException):
            raise failed
    return kept


def chance(seed: int, state: JobState, *place: object) -> Random:
    """The random numbers of one place in a job: they do not depend on the order in which replies arrive."""
    return Random(f"{seed} {state.job.id} {' '.join(map(str, place))}")
