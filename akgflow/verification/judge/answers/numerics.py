"""The questions of one case, and in which order a candidate process is asked them."""

from __future__ import annotations

from akgflow.terms import Status
from akgflow.verification.judge.answers.regions import SHIFT_BYTES
from akgflow.verification.judge.evaluation import Trial
from akgflow.verification.judge.failures import blame_repeat, blame_stale
from akgflow.verification.reference.inputs import Draw
from akgflow.verification.reference.reference import Reference


def ask_all(trial: Trial, reference: Reference) -> None:
    """All draws of a case, and the first one again: the answer must be right whatever came before."""
    first, second, *others = reference.draws
    trial.asked = []
    # Of a large case the second draw is the one that is there, and the first one is made again once.
    least = SHIFT_BYTES if reference.two_calls else 0
    for draw in (second, first) if first.in_place else (first, second):
        trial.measured.append(trial.check(reference, draw, least))
    _between(trial, reference, first, second)
    # The first one again, perturbed at the same addresses, and the same at others: answers must depend on all of
    # what is asked, and on nothing else.
    perturbed = [(draw, 0) for draw in ((first, *reference.perturbed) if reference.perturbed else ())]
    last = [(first, SHIFT_BYTES)] if not reference.two_calls else []
    for draw, base in [*((draw, 0) for draw in others), *perturbed, *last]:
        if any(one.result.status is not Status.PASSED for one in trial.measured[-2:]):
            return
        found = trial.check(reference, draw, base)
        if draw is not first:
            trial.measured.append(found)
        elif found.result.status is not Status.PASSED:
            trial.measured.append(blame_repeat(found, trial.calls))


def _between(trial: Trial, reference: Reference, draw: Draw, other: Draw) -> None:
    """The gradients of a draw again, when forward is called with other inputs before backward."""
    if draw.interleaves and all(one.result.status is Status.PASSED for one in trial.measured[-2:]):
        found = trial.check(reference, draw, between=other)
        if found.result.status is Status.PASSED or trial.once_more(reference, draw):
            trial.measured.append(blame_stale(found))
