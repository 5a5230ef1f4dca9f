"""The step ``repair``: mend a candidate with the judge's verdict, advised by a conductor, a bounded number of times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from akgflow.agents import MalformedReply, PromptContext, RepeatedReply, describe
from akgflow.config.steps import RepairStep
from akgflow.engine.context import RunContext, Turn, history_of
from akgflow.engine.gates import unmet
from akgflow.engine.state import Asked, JobState
from akgflow.engine.steps._writing import write
from akgflow.search import Judged, Stopping


async def run(step: RepairStep, state: JobState, run: RunContext) -> None:
    """Repair the best candidate of the named step until it is good, hopeless or fast enough, or the cap is reached."""
    current = state.best(step.repair)
    state.hand_on(step.name, [current] if current else [])
    stopping = Stopping(step.headroom, step.patience, "attempts")
    same = 0
    for attempt in range(1, step.max_attempts + 1):
        if current is not None and _good(step, current, run):
            return None
        if why := _hopeless(step, same, current, state, stopping):
            return run.say(state, f"{step.name}: ended before attempt {attempt}: {why}")
        turn = Turn(step.name, attempt)
        advice = await _advice(step, turn, state, run, current)
        if advice.get("decision") == "stop":
            return run.say(state, f"{step.name} {attempt}: {step.advisor} stops: {advice.get('reason', '')}")
        if advice.get("decision") == "redesign":
            await _redesign(turn, state, run, current, advice)
        mended = await _recode(step, turn, state, run, current, advice)
        same = same + 1 if mended and current and _failure(mended) == _failure(current) else 0
        current = mended or current
    return None


def _hopeless(step: RepairStep, same: int, current: Judged | None, state: JobState, stopping: Stopping) -> str:
    """Why another attempt is not worth its cost; empty where it is."""
    if Asked(step.agent, current.candidate.source if current else "") in state.stuck:
        return f"{step.agent} gave the same malformed reply twice"
    if current is None:
        return ""
    if not current.verdict.passed:
        known = f"the same failure came back {same} times after it was addressed ({current.verdict.status})"
        return known if same >= step.same_failure else ""
    return stopping.why([judged.verdict for judged in state.made[step.name]])


def _failure(judged: Judged) -> tuple[str, str]:
    return judged.verdict.status, judged.verdict.message


def _good(step: RepairStep, judged: Judged, run: RunContext) -> bool:
    if step.until == "correct":
        return judged.verdict.passed
    return not unmet(run.task.gates, judged.verdict)


async def _advice(
    step: RepairStep, turn: Turn, state: JobState, run: RunContext, current: Judged | None
) -> Mapping[str, Any]:
    """The advisor's decision; without an advisor, or when it cannot be read, the coder simply tries again."""
    if step.advisor is None or current is None or Asked(step.advisor) in state.stuck:
        return {"decision": "recode"}
    context = _context(turn, state, run, current)
    try:
        advice = (await run.ask(state, step.advisor, turn, context)).parsed.fields
    except MalformedReply as malformed:
        run.notify(state.job.id, f"{step.name} {turn.attempt}: no advice ({malformed})")
        state.stuck |= {Asked(step.advisor)} if isinstance(malformed, RepeatedReply) else set()
        return {"decision": "recode"}
    run.notify(state.job.id, f"{step.name} {turn.attempt}: {step.advisor} says {advice.get('decision')}")
    return advice


async def _redesign(
    turn: Turn, state: JobState, run: RunContext, current: Judged | None, advice: Mapping[str, Any]
) -> None:
    designer = run.designer
    if designer is None or Asked(designer) in state.stuck:
        return
    context = replace(_context(turn, state, run, current), advice=str(advice.get("advice", "")))
    try:
        state.sketch = (await run.ask(state, designer, turn, context)).parsed.text
        state.texts.update(dict.fromkeys(run.design_steps, state.sketch))
    except MalformedReply as malformed:
        run.notify(state.job.id, f"{turn.step} {turn.attempt}: the old sketch stays ({malformed})")
        state.stuck |= {Asked(designer)} if isinstance(malformed, RepeatedReply) else set()


async def _recode(
    step: RepairStep, turn: Turn, state: JobState, run: RunContext, current: Judged | None, advice: Mapping[str, Any]
) -> Judged | None:
    context = replace(_context(turn, state, run, current), advice=str(advice.get("advice", "")))
    talk = current.candidate.talk if current else None
    parents = [current] if current else []
    return state.add(await write(state, run, step.agent, turn, context, talk, parents))


def _context(turn: Turn, state: JobState, run: RunContext, current: Judged | None) -> PromptContext:
    return replace(
        run.prompt_context(state),
        candidate=current.candidate.source if current else "",
        feedback=describe(current.verdict) if current else "",
        history=history_of(state),
        attempt=turn.attempt,
    )
