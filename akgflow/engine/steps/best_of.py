"""The step ``best_of``: independent candidates, made concurrently, each with its own repairs; hands on the best."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from akgflow.agents import HistoryEntry, Rendered, describe, summary
from akgflow.config.steps import BestOfStep
from akgflow.engine.context import RunContext, Turn
from akgflow.engine.state import JobState
from akgflow.engine.steps._writing import Made, write
from akgflow.search import Judged


async def run(step: BestOfStep, state: JobState, run: RunContext) -> None:
    """Ask, repair and keep the best; of equals, the first."""
    lines: list[list[Made]] = [[] for _ in range(step.best_of)]
    works = [_line(step, sample, line, state, run) for sample, line in enumerate(lines, 1)]
    ended = await asyncio.gather(*works, return_exceptions=True)
    for made in (made for line in lines for made in line):
        state.add_new(made)
    best = state.best(step.name)
    state.made[step.name] = [best] if best else []
    for failed in ended:
        if isinstance(failed, BaseException):
            raise failed


async def _line(step: BestOfStep, sample: int, line: list[Made], state: JobState, run: RunContext) -> None:
    """One sample and its repairs, appended to ``line`` as they are made."""
    context = run.prompt_context(state)
    talk: Rendered | None = None
    parents: list[Judged] = []
    for attempt in range(1, step.repairs + 2):
        made = await write(state, run, step.agent, Turn(step.name, attempt, sample), context, talk, parents)
        line.append(made)
        if not isinstance(made, Judged) or made.verdict.passed:
            return
        verdict, talk, parents = made.verdict, made.candidate.talk, [made]
        context = replace(
            context,
            candidate=made.candidate.source,
            feedback=describe(verdict),
            history=(*context.history, HistoryEntry(attempt, verdict.status, summary(verdict.message))),
            attempt=attempt,
        )
