"""The step ``adaptive``: one pool, grown from the candidate whose upper confidence bound is highest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Coroutine
from typing import Any

from akgflow.config.steps import AdaptiveStep
from akgflow.engine.context import RunContext, Turn
from akgflow.engine.state import JobState
from akgflow.engine.steps._pipeline import pipeline
from akgflow.engine.steps._writing import Made, breed, chance
from akgflow.runs.result import Attempt
from akgflow.search import Judged, Stopping, inspirations, pick


async def run(step: AdaptiveStep, state: JobState, run: RunContext) -> None:
    """Make trials until the cap, the roofline or the noise ends it. Trial t is the call (step, t, 1)."""
    search = _Search(step, state, run)
    if step.when and not any(judged.verdict.passed for judged in state.pool(step.adaptive)):
        run.say(state, f"{step.name}: not begun: no candidate is right")
    elif not search.ended():
        await pipeline(step.trials, step.parallel, search.begin, search.commit)


class _Search:
    """The pool, how often each member was a parent, and the attempts that were made from it."""

    def __init__(self, step: AdaptiveStep, state: JobState, run: RunContext) -> None:
        self._step, self._state, self._run = step, state, run
        self._pool = state.pool(step.adaptive)
        state.hand_on(step.name, self._pool)
        self._uses = [0] * len(self._pool)
        self._parents: dict[int, str] = {}
        self._tried: dict[str, list[Attempt]] = defaultdict(list)
        self._stopping = Stopping(step.headroom, step.patience, "trials")
        self._trials = 0

    def ended(self) -> bool:
        """Whether the roofline or the noise ends it now; says why."""
        why = self._stopping.why([judged.verdict for judged in self._pool])
        if why:
            self._run.say(self._state, f"{self._step.name}: ended after {self._trials} trials: {why}")
        return bool(why)

    def begin(self, trial: int) -> Coroutine[Any, Any, Made]:
        """Start a trial. Its parent's use counts at once, so that trials in flight do not all share one parent."""
        parents: list[Judged] = []
        if self._pool:
            place = pick(self._pool, self._uses, self._step.explore)
            self._uses[place] += 1
            parents = [self._pool[place]]
        self._parents[trial] = parents[0].candidate.id if parents else ""
        random = chance(self._step.random_seed, self._state, self._step.name, trial)
        return breed(
            self._state,
            self._run,
            self._step.agent,
            Turn(self._step.name, trial),
            parents=parents,
            inspirations=inspirations(self._pool, self._step.inspirations, random, without=parents),
            tried=tuple(self._tried[self._parents[trial]]),
        )

    def commit(self, trial: int, made: Made) -> bool:
        """Add the result of a trial; True when it was the last."""
        self._trials = trial
        new = self._state.add_new(made)
        if new is not None:
            self._pool.append(new)
            self._uses.append(0)
        self._tried[self._parents[trial]] += self._state.attempts_of(self._step.name, trial)
        return self.ended()
