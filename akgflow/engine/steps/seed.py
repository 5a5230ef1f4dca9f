"""The step ``seed``: first candidates that exist already, judged like any other."""

from __future__ import annotations

from akgflow.config.steps import SeedStep
from akgflow.engine.context import RunContext
from akgflow.engine.seeds import SEEDERS, Seeds
from akgflow.engine.state import JobState
from akgflow.engine.steps._writing import side_by_side
from akgflow.search import Candidate


async def run(step: SeedStep, state: JobState, run: RunContext) -> None:
    """Find the seeds, once in a run, and judge them concurrently. Seed n is attempt n."""
    job = state.job
    seeds = await run.journal.once(f"seeds {job.id}.{step.name}", Seeds, lambda: SEEDERS[step.seed](step, state, run))
    found = seeds.found[: step.most]
    if not found:
        return run.say(state, f"{step.name}: nothing to start from: {seeds.why}")
    for number, seed in enumerate(found, 1):
        run.say(state, f"{step.name} {number}: {seed.origin}")
    candidates = [Candidate(seed.source, step.name, number, 1) for number, seed in enumerate(found, 1)]
    await side_by_side([run.judge_candidate(state, candidate) for candidate in candidates], state.add_new)
    return None
