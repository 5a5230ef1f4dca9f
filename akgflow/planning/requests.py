"""What is asked of the judge about a candidate: one way for runs, matrices, single judgements and the self-test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from akgflow.config.types import Operator, Scalar, SourceKernel, Target, Task, ToolchainFile
from akgflow.operators.shapes.guarantee import Guarantee
from akgflow.planning.types import Reach
from akgflow.precision import Precision
from akgflow.verdict import JudgeRequest, Limits, Verdict


@dataclass(frozen=True)
class Conditions:
    """How all kernels of a task are judged, in whichever DSL and for whichever target; as in `JudgeRequest`."""

    cases: tuple[Mapping[str, Scalar], ...] = ()
    secret_cases: tuple[Mapping[str, Scalar], ...] = ()
    dtype: str | None = None
    tolerance: float = JudgeRequest.tolerance
    precision: Precision = JudgeRequest.precision
    framework: str = JudgeRequest.framework
    shapes: Guarantee = JudgeRequest.shapes
    layouts: str | None = None
    baselines: tuple[str, ...] = JudgeRequest.baselines
    sanitize: tuple[str, ...] = ()
    limits: Limits = JudgeRequest.limits

    @classmethod
    def of(cls, task: Task) -> Conditions:
        """Those that a task states."""
        return cls(
            cases=task.cases,
            secret_cases=task.secret_cases,
            dtype=task.dtype,
            tolerance=task.tolerance,
            precision=task.precision,
            framework=task.framework,
            shapes=task.shapes,
            layouts=task.layouts,
            baselines=task.baselines,
            sanitize=task.gates.sanitized,
            limits=Limits(
                build_seconds=task.limits.build,
                run_seconds=task.limits.run,
                hang_seconds=task.limits.hang,
                judge_seconds=task.limits.judge,
                judgement_bytes=task.memory,
            ),
        )

    def on(self, request: JudgeRequest) -> JudgeRequest:
        """``request`` under these."""
        return replace(request, **vars(self))


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
    return Conditions.of(about).on(replace(request, profile=about.profile))


def with_gaps(verdict: Verdict, found: Reach) -> Verdict:
    """``verdict`` with the reasons for what was not asked of the judge, because it is out of reach."""
    gaps = {str(evidence): reason for evidence, reason in found.gaps.items()}
    return replace(verdict, absent={**gaps, **verdict.absent})
