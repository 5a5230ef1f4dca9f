"""Requires that a candidate's kernels matter: without them, its answer must be wrong.

If it is right, something else did the work. Whether kernels can be silenced is known by the toolchain, never asked of
the candidate. A process that detects it can be wrong on purpose; nothing else that it does gains more.
"""

from __future__ import annotations

from akgflow import toolchains
from akgflow.terms import Evidence, Status
from akgflow.verification.judge.evaluation import Trial
from akgflow.verification.judge.failures import CandidateFailed, Crashed, Reported
from akgflow.verification.reference.distributions import OPERATOR
from akgflow.verification.reference.reference import Reference
from akgflow.verification.shared.protocol import Silence

ORACLE_SECONDS = 1.0
"""Where an oracle takes longer, the question is not asked."""
SECONDS = 3.0
"""For all calls."""
QUESTIONS = 4
"""Several: where an answer is one bit, stale memory holds the right one now and then."""
LOST = (Status.TIMEOUT, Status.OUT_OF_MEMORY, Status.FALLBACK)
"""Statuses of sound candidates: they wait for a result, believe a size, or fall back to what they may not use."""


def require_kernels_matter(trial: Trial, reference: Reference) -> None:
    """Raise `CandidateFailed` when new questions are answered correctly without any kernel.

    Nothing can be asked afterwards: the process may not survive it.
    """
    request = trial.request
    if not trial.guarded or reference.weak or reference.oracle.seconds > ORACLE_SECONDS:
        return
    if not any(one.framework.numel() for one in reference.draws[0].outcome):
        # Where there is nothing to answer, no kernel has anything to do.
        return
    if not toolchains.silences(request.toolchain, trial.evidence, request.target):
        return
    _silence(trial)
    trial.run_left = min(trial.run_left, SECONDS)
    if reference.work.too_small and trial.process.policy is not None:
        # The framework's allowance would cover all of the work.
        trial.process.policy.forbid()
    try:
        right = all(_answers_rightly(trial, reference) for _ in range(QUESTIONS))
    except Reported:
        # Host code that works with what a kernel returns may fail without it. It then still answers, once.
        trial.require_no_stray_reply()
        return
    except CandidateFailed as failure:
        if failure.status in LOST or isinstance(failure, Crashed):
            return
        raise
    if right:
        raise CandidateFailed(
            Status.FALLBACK, "the answer was right though no kernel of the DSL did anything: something else did it"
        )


def _answers_rightly(trial: Trial, reference: Reference) -> bool:
    # Answers to questions that were asked before may still be in memory that it gets.
    fresh = reference.answer(reference.fresh(OPERATOR), OPERATOR)
    return trial.check(reference, fresh).result.status is Status.PASSED


def _silence(trial: Trial) -> None:
    """Let no kernel do anything; a process in which one still can is refused."""
    try:
        trial.process.ask(Silence(), SECONDS)
    except Reported as failure:
        why = f"the candidate's kernels could not be taken away for the last question: {failure.message}"
        raise CandidateFailed(Status.REFUSED, why, failure.log) from None
    # An interpreter that passes over kernels still has their code.
    if trial.evidence is not Evidence.INTERPRETED and trial.sees_kernels():
        raise CandidateFailed(Status.REFUSED, "the candidate kept its kernels for the question without them")
