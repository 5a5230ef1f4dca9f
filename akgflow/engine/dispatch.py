"""Makes one product of a job's best kernels: a dispatcher by shape, judged like any kernel, with its regret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from akgflow.base.atomic import write_json, write_text
from akgflow.base.text import named_values
from akgflow.engine.context import RunContext
from akgflow.engine.gates import unmet
from akgflow.engine.state import JobState
from akgflow.planning import DISPATCH
from akgflow.runs.layout import dispatch_in
from akgflow.runs.result import Dispatch, Regret
from akgflow.search import Candidate, Choice, Judged, NoChoice, choose, dispatcher
from akgflow.verdict import Timing, Verdict

UNSEEN = 4
"""Shapes on which a dispatcher is tried that nobody has seen."""


async def dispatch(state: JobState, run: RunContext) -> Dispatch | None:
    """The dispatcher over the kernels of a job that meet its gates; None where one kernel is to be kept."""
    if run.task.winners < 2:
        return None
    made = {judged.candidate.id: judged for pool in state.made.values() for judged in pool}
    met = [judged for judged in made.values() if not unmet(run.task.gates, judged.verdict)]
    try:
        choice = choose(met, run.task.winners)
    except NoChoice as why:
        return Dispatch(False, str(why))
    candidate = Candidate(dispatcher.text(choice), DISPATCH, 1, 1, tuple(one.candidate for one in choice.winners))
    # Kernels that serve the cases alone are chosen by equality, and are asked for nothing else.
    unseen = all(one.general for one in choice.winners)
    rivals = {judged.candidate.id: judged.candidate.source for judged in choice.kernels}
    judged = await run.judge_beside(state.job, candidate, rivals, UNSEEN if unseen else 0)
    found = _found(choice, judged, run, unseen)
    place = dispatch_in(run.folder.path, state.job.id)
    write_text(place / "candidate.py", candidate.source)
    write_json(place / "verdict.json", judged.verdict)
    write_json(place / "table.json", {"kept": found.kept, "winners": found.winners, "table": found.table})
    return found


def _found(choice: Choice, judged: Judged, run: RunContext, unseen: bool) -> Dispatch:
    verdict = judged.verdict
    single = choice.kernels[0].candidate.id
    regrets = regrets_of(verdict.beside, single)
    reasons = unmet(run.task.gates, verdict) or _not_worth(verdict, regrets)
    return Dispatch(
        kept=not reasons,
        reason="; ".join(reasons),
        candidate=judged.candidate.id,
        winners=choice.winners,
        table=choice.rows,
        regrets=tuple(regrets),
        unseen=unseen,
        verdict=verdict,
    )


def regrets_of(beside: Sequence[Timing], single: str) -> list[Regret]:
    """For each shape at which all kernels were timed, what choosing another one would have saved."""
    shapes: dict[str, dict[str, Timing]] = {}
    for one in beside:
        shapes.setdefault(str(sorted(one.case.items())), {})[one.baseline] = one
    return [_regret(found, single) for found in shapes.values() if single in found]


def _regret(found: Mapping[str, Timing], single: str) -> Regret:
    over = found[single]
    best = min(found.values(), key=lambda one: one.baseline_seconds)
    return Regret(
        case=over.case,
        seconds=over.seconds,
        single_seconds=over.baseline_seconds,
        best_seconds=best.baseline_seconds,
        best=best.baseline,
        over_single=(over.speedup, *over.interval),
        call=over.call,
    )


def _not_worth(verdict: Verdict, regrets: Sequence[Regret]) -> list[str]:
    """Why a dispatcher that is right is not kept: on no shape may it be slower than the best single kernel."""
    if not regrets:
        why = verdict.absent.get("beside") or verdict.absent.get("timing") or "nobody says why"
        return [f"it was not timed beside the best single kernel: {why}"]
    slower = [one for one in regrets if one.call == "slower"]
    return [f"it is slower than the best single kernel at {_at(one)}" for one in slower]


def _at(one: Regret) -> str:
    ratio, low, high = one.over_single
    return f"{named_values(one.case)} ({ratio:.2f}x [{low:.2f}, {high:.2f}])"
