"""The step ``tune``: the constants that candidates declare, with the judge as the objective and no model.

Many settings are ranked in one go, which is no evidence; the fastest are judged in full, and these alone are candidates
of the job.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from akgflow.base.atomic import write_json
from akgflow.base.serial import to_data
from akgflow.base.text import named_values
from akgflow.config.steps import TuneStep
from akgflow.config.steps.tune import JUDGED
from akgflow.config.types import Scalar
from akgflow.engine.context import RunContext, Turn
from akgflow.engine.state import JobState
from akgflow.engine.steps._pipeline import pipeline
from akgflow.ranking import Ranked, Ranking
from akgflow.runs.layout import ranking_file
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
from akgflow.terms import Status

AT_ONCE = 16
"""Settings in one ranking. With fewer the next proposals know more; with more, cores build side by side."""
NOISE = 1.01
"""What is ranked no more than so many times as fast as the candidate is not judged."""

Values = Mapping[str, Scalar]


async def run(step: TuneStep, state: JobState, run: RunContext) -> None:
    """Tune the best candidates one after the other. Attempts of the n-th count on from (n - 1) x trials."""
    pool = state.pool(step.tune)
    state.hand_on(step.name, pool)
    for number, (base, tunables) in enumerate(_tunable(pool, step, state, run)):
        search = _Search(step, base, tunables, number, state, run)
        if not search.ended():
            await search.run()


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
        self, step: TuneStep, base: Judged, tunables: Tunables, number: int, state: JobState, run: RunContext
    ) -> None:
        self._step, self._base, self._number = step, base, number
        self._state, self._run = state, run
        self._stopping = Stopping(step.headroom, None, "trials")
        self._tuner = Tuner(tunables, seed=step.random_seed)
        self._tuner.know(tunables.first, 1.0)
        self._asked: dict[int, list[Values]] = {}
        self._ranked: list[tuple[Values, Ranked]] = []
        self._best, self._since = 1.0, 0
        self._reason = ""
        others = tunables.size - all(tunables.first[name] in values for name, values in tunables.space.items())
        self._settings = min(step.trials, others)
        run.notify(
            state.job.id,
            f"{step.name}: {', '.join(tunables.space)} of candidate {base.candidate.id}, {tunables.size} combinations",
        )

    def ended(self) -> bool:
        """Whether the roofline ends it before it begins; says why."""
        why = self._stopping.why([self._base.verdict])
        if why:
            self._say(f"ended after 0 trials: {why}")
        return bool(why)

    async def run(self) -> None:
        """Rank, and judge the best; so few that all may be judged are not ranked."""
        if self._settings <= JUDGED:
            return await self._judge([values for _ in range(self._settings) if (values := self._tuner.ask())])
        rankings = -(-self._settings // AT_ONCE)
        await pipeline(rankings, self._step.parallel, self.begin, self.commit)
        if self._reason:
            return self._say(f"nothing more was ranked: {self._reason}")
        return await self._judge(self._worth_it())

    def begin(self, number: int) -> Coroutine[Any, Any, Ranking] | None:
        """Rank the next settings; None when all were tried."""
        most = min(AT_ONCE, self._step.trials - (number - 1) * AT_ONCE)
        values = [one for one in (self._tuner.ask() for _ in range(most)) if one is not None]
        if not values:
            return None
        self._asked[number] = values
        turn = Turn(self._step.name, self._number * self._step.trials + number)
        return self._run.rank(self._state, turn, self._base.candidate, [self._with(one) for one in values])

    def commit(self, number: int, ranking: Ranking) -> bool:
        """Tell the tuner; True when nothing more is to be ranked."""
        if ranking.reason:
            self._reason = ranking.reason
            return True
        before, asked = self._best, self._asked[number]
        for values, one in zip(asked, ranking.ranked, strict=True):
            self._ranked.append((values, one))
            self._tuner.tell(values, 0.0 if one.status is not Status.PASSED else one.speed)
            self._best = max(self._best, one.speed or 0.0)
        self._since = 0 if self._best > before * NOISE else self._since + len(asked)
        table = [{"values": values, **to_data(one)} for values, one in self._ranked]
        write_json(ranking_file(self._run.folder.path, self._state.job.id, self._step.name, self._number + 1), table)
        patience = self._step.patience
        return self._stopping.reached(self._base.verdict, self._best) or (
            patience is not None and self._since >= patience
        )

    def _worth_it(self) -> list[Values]:
        """The settings to judge, the fastest first: over all cases, and, where several kernels are kept, for each."""
        faster = [(values, one) for values, one in self._ranked if (one.speed or 0.0) > NOISE]
        chosen = [values for values, _ in sorted(faster, key=lambda pair: -(pair[1].speed or 0.0))]
        if self._run.task.winners > 1:
            timed = [(values, one) for values, one in self._ranked if one.speeds]
            cases = range(len(timed[0][1].speeds)) if timed else ()
            for_each = [max(timed, key=lambda pair, at=case: pair[1].speeds[at]) for case in cases]  # type: ignore[misc]
            best = [values for case, (values, one) in enumerate(for_each) if one.speeds[case] > NOISE]
            chosen = chosen[:1] + best + chosen[1:]
        out = [one for _, one in self._ranked if one.status is not Status.PASSED]
        why = f", {len(out)} of them out ({out[0].status}: {out[0].why})" if out else ""
        text = f"ranked {len(self._ranked)} settings of candidate {self._base.candidate.id}{why}"
        self._say(text if chosen else f"{text}: none is faster")
        return [values for at, values in enumerate(chosen) if values not in chosen[:at]]

    async def _judge(self, settings: Sequence[Values]) -> None:
        """Judge the first of ``settings``, one after the other, until enough are right."""
        enough = JUDGED if self._run.task.winners == 1 else self._step.judged
        right = 0
        for place, values in enumerate(settings[: self._step.judged], 1):
            attempt = self._number * self._step.trials + place
            self._run.notify(self._state.job.id, f"{self._step.name} {attempt}: {named_values(values)}")
            candidate = Candidate(self._with(values), self._step.name, attempt, 1, (self._base.candidate.id,))
            judged = await self._run.judge_candidate(self._state, candidate)
            self._state.add_new(judged)
            right += judged.verdict.passed
            if right == enough:
                break

    def _with(self, values: Values) -> str:
        return with_values(self._base.candidate.source, values)

    def _say(self, text: str) -> None:
        self._run.say(self._state, f"{self._step.name}: {text}")
