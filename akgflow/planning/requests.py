"""What is asked of the judge about a candidate: one way for runs, matrices, single judgements and the self-test."""

from __future__ import annotations

from dataclasses import replace

from akgflow.config.types import Operator, SourceKernel, Target, Task, ToolchainFile
from akgflow.planning.types import Reach
from akgflow.verdict import JudgeRequest, Limits, Verdict


def judge_request(
    about: Task | Operator,
    candidate: str | SourceKernel,
    toolchain: str | ToolchainFile,
    target: Target,
    found: Reach,
) -> JudgeRequest:
    """A candidate against a task's operator, judged as the task says; against an operator alone, as the judge has it.

    ``found`` is what can be seen of ``toolchain`` on ``target``. Where no cluster has the target, this machine judges.
    """
    operator = about.operator if isinstance(about, Task) else about
    request = JudgeRequest(
        candidate=candidate,
        operator_file=str(operator.file),
        operator=operator.whole,
        toolchain=toolchain,
        target=target if found.at else replace(target, reach=None),
        evidence=found.evidence,
    )
    if not isinstance(about, Task):
        return replace(request, cases=about.cases, shapes=about.shapes)
    return replace(
        request,
        cases=about.cases,
        secret_cases=about.secret_cases,
        shapes=about.shapes,
        layouts=about.layouts,
        dtype=about.dtype,
        tolerance=about.tolerance,
        precision=about.precision,
        framework=about.framework,
        profile=about.profile,
        limits=Limits(
            build_seconds=about.limits.build,
            run_seconds=about.limits.run,
            hang_seconds=about.limits.hang,
            judge_seconds=about.limits.judge,
            judgement_bytes=about.memory,
        ),
        baselines=about.baselines,
    )


def with_gaps(verdict: Verdict, found: Reach) -> Verdict:
    """``verdict`` with the reasons for what was not asked of the judge, because it is out of reach."""
    gaps = {str(evidence): reason for evidence, reason in found.gaps.items()}
    return replace(verdict, absent={**gaps, **verdict.absent})
