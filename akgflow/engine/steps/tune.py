"""The step ``tune``: the constants that candidates declare, with the judge as the objective and no model."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any

from akgflow.base.text import named_values
from akgflow.config.steps import TuneStep
from akgflow.config.types import Scalar
from akgflow.engine.context import RunContext
from akgflow.engine.state import JobState
from akgflow.engine.steps._pipeline import pipeline
from akgflow.search import (
    Candidate,
    Judged,
    Stopping,
    Tunables,
    TunablesError,
    Tuner,
    declared,
    speed_of,
    with_values,
)


async def run(step: TuneStep, state: JobState, run: RunContext) -> None:
    """Tune the best candidates one after the other. Trial t of the n-th is attempt (n - 1) x trials + t."""
    pool = state.pool(step.tune)
    state.hand_on(step.name, pool)
    found = _tunable(pool, step, state, run)
    if not found:
        return
    for number, (base, tunables) in enumerate(found):
        search = _Search(step, base, tunables, number * step.trials, state, run)
        if not search.ended():
            await pipeline(step.trials, step.parallel, search.begin, search.commit)


def _tunable(pool: list[Judged], step: TuneStep, state: JobState, run: RunContext) -> list[tuple[Judged, Tunables]]:
    """The best candidates that passed, were timed, and declare constants; says why where there are none."""
    right = sorted((judged for judged in pool if judged.verdict.passed), key=lambda j: j.worth, reverse=True)
    timed = [judged for judged in right if speed_of(judged.verdict)]
    found: list[tuple[Judged, Tunables]] = []
    why = "no candidate declares constants (TUNABLES)"
    for judged in timed:
        try:
            tunables = declared(judged.candidate.source)
        except TunablesError as wrong:
            why = str(wrong)
            continue
        if tunables is not None:
            found.append((judged, tunables))
    if not right:
        why = "no candidate is right yet"
    elif not timed:
        why = "no right candidate was timed, so that nothing would tell one value from another"
    if not found:
        run.say(state, f"{step.name}: nothing was tuned: {why}")
    return found[: step.best]


class _Search:
    """The trials of one candidate."""

    def __init__(
        self, step: TuneStep, base: Judged, tunables: Tunables, before: int, state: JobState, run: RunContext
    ) -> None:
        self._step, self._base, self._before = step, base, before
        self._state, self._run = state, run
        self._values: dict[int, Mapping[str, Scalar]] = {}
        self._verdicts = [base.verdict]
        self._stopping = Stopping(step.headroom, step.patience, "trials")
        self._tuner = Tuner(tunables, seed=step.random_seed)
        self._tuner.know(tunables.first, _score(base))
        run.notify(
            state.job.id,
            f"{step.name}: {', '.join(tunables.space)} of candidate {base.candidate.id}, {tunables.size} combinations",
        )

    def ended(self) -> bool:
        """Whether the roofline or the noise ends it now; says why."""
        why = self._stopping.why(self._verdicts)
        if why:
            self._run.say(self._state, f"{self._step.name}: ended after {len(self._verdicts) - 1} trials: {why}")
        return bool(why)

    def begin(self, trial: int) -> Coroutine[Any, Any, Judged] | None:
        """Judge the candidate with the next values; None when all were tried."""
        values = self._tuner.ask()
        if values is None:
            return None
        self._values[trial] = values
        self._run.notify(self._state.job.id, f"{self._step.name} {trial}: {named_values(values)}")
        source = with_values(self._base.candidate.source, values)
        candidate = Candidate(source, self._step.name, self._before + trial, 1, (self._base.candidate.id,))
        return self._run.judge_candidate(self._state, candidate)

    def commit(self, trial: int, judged: Judged) -> bool:
        """Tell the tuner a trial's score; True when it was the last."""
        self._tuner.tell(self._values[trial], _score(judged))
        self._state.add_new(judged)
        self._verdicts.append(judged.verdict)
        return self.ended()


def _score(judged: Judged) -> float | None:
    """The speedup; 0 for a candidate that is wrong, None for a right one that was not timed this time."""
    speed = speed_of(judged.verdict)
    if speed is not None:
        return speed.ratio
    return None if judged.verdict.passed else 0.0
