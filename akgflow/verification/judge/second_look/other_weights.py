"""Changes a model's weights, has the candidate prepare for them, and asks again: what was kept of old ones is wrong.

New weights come in the memory of the old ones, so that neither an address nor a version tells them apart. Each question
is a new one, put where inputs are only after the candidate has prepared: what was left there, or kept, is of no use.
"""

from __future__ import annotations

from dataclasses import replace

from akgflow.terms import Status
from akgflow.verification.judge.evaluation import Trial
from akgflow.verification.judge.failures import Measured, blamed, result_failure
from akgflow.verification.reference.distributions import OPERATOR
from akgflow.verification.reference.inputs import Draw
from akgflow.verification.reference.operator import OperatorError
from akgflow.verification.reference.reference import Reference
from akgflow.verification.reference.special.variants import OTHER_WEIGHTS, weights_differ, with_other_weights

ORACLE_SECONDS = 1.0
"""Where an oracle takes longer, weights are not changed."""
QUESTIONS = 2
"""For each of the weights, with which the model was built and with others."""
STALE = (
    "right with the first weights, and wrong once they had changed and prepare() was called again: prepare() must work "
    "from the parameters as they are then, and nothing else may be kept of weights from one call to the next"
)


def ask_with_other_weights(trial: Trial, reference: Reference) -> list[str]:
    """Ask with other weights, then with the first again; a warning where that is not done and ought to be.

    What is found goes to ``trial.measured``. Raises `CandidateFailed`, and `OperatorError` where there are no weights.
    """
    if reference.case.prepare is None or result_failure(trial.measured) is not None:
        return []
    if not reference.state:
        raise OperatorError(
            f"Model in {reference.file} has no parameters or buffers that could be prepared (prepare): what forward "
            "takes as inputs is new in each call"
        )
    if reference.large or reference.oracle.slow or reference.oracle.seconds > ORACLE_SECONDS:
        return ["weights were not changed between calls: float64 takes too long on this case"]
    other = with_other_weights(reference)
    if not weights_differ(reference, other):
        return ["weights were not changed between calls: all of them are constants of the operator"]
    for one in (other, reference):
        trial.prepare(one)
        for _ in range(QUESTIONS):
            found = trial.check(one, question(one))
            if found.result.status is not Status.PASSED:
                trial.measured.append(_stale(found))
                return []
            trial.measured.append(found)
    return []


def question(reference: Reference) -> Draw:
    """Inputs that were never asked about, and what the outputs must be."""
    return replace(reference.answer(reference.fresh(OPERATOR), OPERATOR), distribution=OTHER_WEIGHTS)


def _stale(found: Measured) -> Measured:
    # What it is drawn from gives the first weights only.
    named = blamed(found, STALE)
    return replace(named, result=replace(named.result, seed=""))
