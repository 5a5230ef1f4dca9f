"""What a judgement has gathered so far, and its words for a candidate that passed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from akgflow.config.types import Scalar
from akgflow.machine import Machine
from akgflow.operators.text import parts_of
from akgflow.sanitized import Sanitized
from akgflow.speed import overall
from akgflow.terms import Evidence, Status, in_order
from akgflow.verdict import (
    FRAMEWORK_ALLOWED,
    Correctness,
    JudgeRequest,
    KernelProfile,
    KernelResources,
    OtherShapes,
    Timing,
    Untimed,
    Verdict,
)
from akgflow.verification.judge.build_cache import environment
from akgflow.verification.judge.failures import CandidateFailed, Measured, Unfit
from akgflow.verification.reference.special.variants import OTHER_WEIGHTS

NUMERIC = (Evidence.INTERPRETED, Evidence.EXECUTED)


@dataclass
class Findings:
    """What has been gathered so far."""

    evidence: list[Evidence] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    measured: list[Measured] = field(default_factory=list)
    resources: list[KernelResources] = field(default_factory=list)
    profile: tuple[KernelProfile, ...] = ()
    timing: list[Timing] = field(default_factory=list)
    untimed: list[Untimed] = field(default_factory=list)
    beside: list[Timing] = field(default_factory=list)
    warnings: dict[str, None] = field(default_factory=dict)
    deterministic: bool | None = None
    failure: CandidateFailed | None = None
    layers: tuple[str, ...] | None = None
    shapes: OtherShapes | None = None
    allowed: str = ""
    sanitized: tuple[Sanitized, ...] = ()

    @property
    def prepared(self) -> bool:
        """Whether weights were changed between calls."""
        return any(one.result.distribution == OTHER_WEIGHTS for one in self.measured)

    def correctness(self, is_secret: Callable[[Mapping[str, Scalar]], bool]) -> Correctness | None:
        """The results of all calls; None where there was none."""
        results = tuple(
            replace(
                one.result,
                secret=is_secret(one.result.case),
                # What is right has nothing to show again.
                seed="" if one.result.status is Status.PASSED else one.result.seed,
            )
            for one in self.measured
        )
        if not results:
            return None
        errors = max(one.error for one in results), max(one.relative for one in self.measured)
        return Correctness(*errors, results, self.deterministic)

    def bounded_by(self, layers: tuple[str, ...]) -> None:
        """Keep those layers that held for every process of the candidate."""
        self.layers = layers if self.layers is None else tuple(one for one in self.layers if one in layers)

    def verdict(
        self,
        request: JudgeRequest,
        machine: Machine,
        seconds: float,
        is_secret: Callable[[Mapping[str, Scalar]], bool],
    ) -> Verdict:
        """What all of it amounts to."""
        failure = self.failure
        if failure is None and not self.evidence:
            reasons = "; ".join(map(": ".join, self.absent.items())) or "no evidence was asked for"
            failure = CandidateFailed(Status.NOT_RUN, reasons)
        if request.profile and not self.profile:
            self.absent.setdefault("profile", "counters are read only of what is right and timed")
        executed = Evidence.EXECUTED in self.evidence
        device = machine.device_for(request.target) if executed else None
        return Verdict(
            status=failure.status if failure else Status.PASSED,
            message=failure.message if failure else pass_message(self, request),
            target=request.target.name,
            evidence=in_order(self.evidence),
            environment=environment(machine, device),
            timestamp=datetime.now(UTC).isoformat(timespec="seconds"),
            log=failure.log if failure else "",
            correctness=self.correctness(is_secret),
            timing=tuple(self.timing),
            untimed=tuple(self.untimed) if self.timing else (),
            overall=overall(self.timing, self.untimed),
            beside=tuple(self.beside),
            resources=tuple(self.resources),
            profile=self.profile,
            absent=self.absent,
            tolerance=request.tolerance,
            precision=request.precision,
            allowed=self.allowed,
            seconds=round(seconds, 3),
            warnings=(*([FRAMEWORK_ALLOWED] if request.framework == "allow" else ()), *self.warnings),
            sandbox=self.layers or (),
            shapes=self.shapes,
            prepared=self.prepared,
            sanitized=self.sanitized,
            unfit=isinstance(failure, Unfit),
        )


def pass_message(findings: Findings, request: JudgeRequest) -> str:
    """What a candidate was right on, and what was built of it."""
    numerics = [e.value for e in findings.evidence if e in NUMERIC]
    built = [e.value for e in findings.evidence if e not in NUMERIC]
    parts = []
    if numerics:
        calls = len(findings.measured)
        factors = {float(case.get("tolerance", request.tolerance)) for case in request.cases} or {request.tolerance}
        shown = " to ".join(f"{one:g}" for one in sorted({min(factors), max(factors)}))
        loosened = "" if factors == {1.0} else f", with bounds multiplied by {shown}"
        asked = parts_of(request.operator)
        loosened += f", where {findings.allowed}" if findings.allowed else ""
        ways = [f"in {asked.mode} mode"] if asked.mode else []
        ways += ["gradients, too"] if asked.backward is not None else []
        ways += ["weights changed between calls"] if findings.prepared else []
        how = f"{', '.join((' and '.join(numerics), *ways))}{loosened}"
        parts.append(f"right on all {calls} input sets ({how}){_on_others(findings.shapes)}")
        if findings.shapes is not None and findings.shapes.specialised:
            parts.append(f"specialised to {findings.shapes.specialised}")
        if findings.shapes is not None and findings.shapes.contiguous:
            parts.append(f"takes contiguous inputs only ({findings.shapes.contiguous})")
    if built:
        parts.append(" and ".join(built) + ("" if numerics else "; numerics were not run"))
    return "; ".join(parts)


def _on_others(found: OtherShapes | None) -> str:
    count = len(found.right) if found is not None else 0
    return f" and on {count} other shape{'s' if count > 1 else ''}" if count else ""
