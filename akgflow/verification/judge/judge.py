"""The judge: holds the operator, the oracle, the seeds and the clock, and writes the verdict.

It never imports a candidate. For each kind of evidence that a request names there is one candidate process
(`akgflow.verification.judge.evaluation`); what that process says is a hint, what lies in shared memory is the evidence.
"""

from __future__ import annotations

import hashlib
import platform
import random
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from akgflow import __version__, toolchains
from akgflow.config.types import Scalar
from akgflow.errors import AkgflowError, MachineExhausted, machine_error
from akgflow.machine import Machine
from akgflow.terms import Evidence, Status, in_order
from akgflow.toolchains import CompileFailure, Toolchain
from akgflow.verdict import (
    FRAMEWORK_ALLOWED,
    Correctness,
    Environment,
    JudgeRequest,
    KernelProfile,
    KernelResources,
    Timing,
    Verdict,
)
from akgflow.verification.judge import profiler
from akgflow.verification.judge.build_cache import Builds
from akgflow.verification.judge.candidate_process import BUILDS, ForkServer
from akgflow.verification.judge.evaluation import REUSES, Measured, Trial, result_failure
from akgflow.verification.judge.failures import CandidateFailed, Disturbed, compile_failed
from akgflow.verification.judge.roofline import with_roofline
from akgflow.verification.judge.timing import NotTimed, Session, Start, Starts
from akgflow.verification.judge.without_kernels import require_work
from akgflow.verification.reference.operator import OperatorError, cases_of
from akgflow.verification.reference.reference import Reference
from akgflow.verification.sandbox.untrusted_files import tidy

NUMERIC = (Evidence.INTERPRETED, Evidence.EXECUTED)
ORDER = in_order(Evidence)[-2::-1]
"""What is cheap to find out comes first: a candidate that does not compile is not run."""
REUSED_SECONDS = 1.0
"""Oracles that took longer than this serve several candidates; the candidates of one judge cannot talk."""
AGAIN = "again"
"""Folder below the scratch for the second judgement of a candidate that somebody ended."""
MOST_USES = 8
MOST_REFERENCES = 4

_secret = random.SystemRandom()

Grant = Callable[[], None]
"""Returns when the machine is this judge's alone."""


@dataclass
class Findings:
    """What has been gathered so far."""

    evidence: list[Evidence] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    measured: list[Measured] = field(default_factory=list)
    resources: list[KernelResources] = field(default_factory=list)
    profile: tuple[KernelProfile, ...] = ()
    timing: list[Timing] = field(default_factory=list)
    warnings: dict[str, None] = field(default_factory=dict)
    deterministic: bool | None = None
    failure: CandidateFailed | None = None
    layers: tuple[str, ...] | None = None

    def bounded_by(self, layers: tuple[str, ...]) -> None:
        """Keep those layers that held for every process of the candidate."""
        self.layers = layers if self.layers is None else tuple(one for one in self.layers if one in layers)


class Judge:
    """Judges one candidate at a time; candidate and baseline each get all of the machine's cores."""

    def __init__(self, machine: Machine, server: ForkServer) -> None:
        self.machine = machine
        self.server = server
        self.builds = Builds(toolchains.cache_dir("candidates"))
        self._references: OrderedDict[str, tuple[Reference, int]] = OrderedDict()

    def judge(self, request: JudgeRequest, scratch: Path, grant: Grant) -> Verdict:
        """The verdict; whatever the candidate does is in it, never an exception.

        Raises `MachineExhausted` where the machine is short of something, or its processes were ended twice.
        """
        started = time.monotonic()
        findings = self._findings(request, scratch, grant)
        if isinstance(findings.failure, Disturbed):
            findings = self._findings(request, scratch / AGAIN, grant)
        failure = findings.failure
        if isinstance(failure, Disturbed) and failure.status is Status.NOT_RUN:
            raise MachineExhausted(f"twice in one judgement: {failure.message}")
        return self._verdict(request, findings, time.monotonic() - started)

    def _findings(self, request: JudgeRequest, scratch: Path, grant: Grant) -> Findings:
        findings = Findings()
        self.server.pressure.begin(scratch)
        try:
            self._gather(request, scratch, grant, findings)
        except CandidateFailed as failure:
            findings.failure = failure
            if not isinstance(failure, Disturbed) and (short := self.server.pressure.explain("")):
                raise short from failure
        except (OperatorError, AkgflowError) as error:
            short = machine_error(error) or self.server.pressure.explain(str(error))
            if short is not None:
                raise short from error
            findings.failure = CandidateFailed(Status.NOT_RUN, str(error))
        return findings

    def _gather(self, request: JudgeRequest, scratch: Path, grant: Grant, findings: Findings) -> None:
        toolchain = toolchains.get(request.toolchain)
        for evidence in request.evidence:
            reason = toolchains.missing(request.toolchain, evidence, request.target, self.machine)
            if reason is not None:
                findings.absent[evidence.value] = reason
        cases = cases_of(request.operator, request.operator_file, request.cases)
        module = _module_of(toolchain, request)
        wanted = [e for e in ORDER if e in request.evidence and e.value not in findings.absent]
        for place, evidence in enumerate(wanted):
            try:
                self._one(toolchain, request, module, cases, evidence, scratch / evidence.value, grant, findings)
            except CandidateFailed as failure:
                if failure.status is Status.NOT_RUN and not isinstance(failure, Disturbed):
                    findings.absent[evidence.value] = failure.message
                    continue
                for skipped in wanted[place + 1 :]:
                    findings.absent[skipped.value] = f"not gathered: the candidate failed before ({evidence.value})"
                raise

    def _one(
        self,
        toolchain: Toolchain,
        request: JudgeRequest,
        module: str,
        cases: tuple[Mapping[str, Scalar], ...],
        evidence: Evidence,
        scratch: Path,
        grant: Grant,
        findings: Findings,
    ) -> None:
        """Gather one kind of evidence in one candidate process."""
        scratch.mkdir(parents=True)
        key = self._builds_key(request, module, evidence)
        self.builds.fetch(key, scratch / BUILDS)
        trial = Trial(self.server, request, evidence, scratch, self.machine.cores)
        findings.bounded_by(trial.process.layers)
        try:
            trial.start(module)
            if evidence in NUMERIC:
                self._numerics(request, trial, cases, findings)
                if evidence is Evidence.EXECUTED and request.time and request.baselines:
                    self._time(request, trial, module, cases, grant, findings)
            else:
                for keys in cases:
                    reference = self._reference(request, keys, "cpu")
                    trial.build(reference)
                    trial.compile(reference)
                trial.require_kernels()
        finally:
            trial.close()
        self.builds.keep(key, scratch / BUILDS)
        if evidence not in NUMERIC:
            tidy(scratch)
            try:
                findings.resources += toolchain.resources(request.target, scratch)
            except CompileFailure as error:
                raise compile_failed(str(error)) from None
            findings.evidence.append(evidence)

    def _builds_key(self, request: JudgeRequest, module: str, evidence: Evidence) -> str:
        """Names a build by all that goes into it, but for the compilers, whose builds outlive them well."""
        parts = (module, request.toolchain, request.target, evidence.value, self.machine.cpu, __version__, _libraries())
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def _numerics(
        self, request: JudgeRequest, trial: Trial, cases: tuple[Mapping[str, Scalar], ...], findings: Findings
    ) -> None:
        try:
            for keys in cases:
                reference = self._reference(request, keys, trial.device)
                reference.prepare()
                findings.warnings.update(dict.fromkeys(reference.warnings))
                trial.build(reference)
                trial.numerics(reference)
                if result_failure(trial.measured) is not None:
                    trial.hurry()
            if result_failure(trial.measured) is None:
                self._again(request, trial, cases)
            if result_failure(trial.measured) is None:
                trial.require_kernels()
                trial.settle()
                self._without_kernels(request, trial, cases)
            findings.evidence.append(trial.evidence)
        except CandidateFailed as late:
            # A wrong answer that came before a crash or a hang is the more useful thing to know.
            raise result_failure(trial.measured) or late from None
        finally:
            findings.measured += trial.measured
            if trial.deterministic is not None:
                findings.deterministic = trial.deterministic and findings.deterministic is not False
            findings.warnings.update(dict.fromkeys(sorted(trial.warnings)))
        failure = result_failure(trial.measured)
        if failure is not None:
            raise failure

    def _again(self, request: JudgeRequest, trial: Trial, cases: tuple[Mapping[str, Scalar], ...]) -> None:
        """More calls: of the last case, and, where there are several, of one that came before."""
        reference = self._reference(request, cases[-1], trial.device)
        trial.repeat(reference)
        if len(cases) > 1 and result_failure(trial.measured) is None:
            earlier = self._reference(request, cases[_secret.randrange(len(cases) - 1)], trial.device)
            trial.build(earlier)
            trial.once_more(earlier)

    def _without_kernels(self, request: JudgeRequest, trial: Trial, cases: tuple[Mapping[str, Scalar], ...]) -> None:
        """The case in which most is to be done, asked once more in a process in which the DSL does nothing."""
        references = [self._reference(request, keys, trial.device) for keys in cases]
        most = max(references, key=lambda one: one.work.total)
        trial.build(most)
        require_work(trial, most)

    def _time(
        self,
        request: JudgeRequest,
        trial: Trial,
        module: str,
        cases: tuple[Mapping[str, Scalar], ...],
        grant: Grant,
        findings: Findings,
    ) -> None:
        """Time the case with the most elements, with the machine to itself."""
        if REUSES in trial.warnings:
            findings.absent["timing"] = REUSES
            return
        references = [self._reference(request, keys, trial.device) for keys in cases]
        for reference in references:
            reference.prepare()
        largest = max(references, key=lambda r: r.draws[0].elements)
        trial.close()
        grant()
        starts = Starts(self.server, request, trial.scratch, self.machine.cores, largest)
        try:
            timed = Session(largest, self.timed(starts, module), self._hardware(request)).run()
        except NotTimed as error:
            findings.absent["timing"] = str(error)
            return
        findings.timing += with_roofline(largest, request.target.facts, timed.timings, timed.calls)
        findings.warnings.update(dict.fromkeys(timed.warnings))
        if request.profile:
            self._profile(request, trial, module, largest, findings)

    def _profile(
        self, request: JudgeRequest, trial: Trial, module: str, largest: Reference, findings: Findings
    ) -> None:
        """Counters about what was timed, while the machine is still this judge's alone."""
        if largest.device != "cuda":
            findings.absent["profile"] = "counters are read of GPUs only"
            return
        try:
            findings.profile = profiler.take(request, module, largest, trial.scratch)
        except profiler.NotProfiled as error:
            findings.absent["profile"] = str(error)

    def timed(self, starts: Starts, module: str) -> Mapping[str, Start]:
        """What is timed side by side: the candidate and the baselines that the request names."""
        return starts.candidate(module) | starts.baselines()

    def _reference(self, request: JudgeRequest, keys: Mapping[str, Scalar], device: str) -> Reference:
        """The reference of a case, shared within a judgement, and beyond it where its oracle is expensive."""
        device = "cpu" if device == "meta" else device
        text = repr((request.operator, request.operator_file, sorted(keys.items()), request.dtype, device))
        key = hashlib.sha256(text.encode()).hexdigest()
        found = self._references.get(key)
        if found is None:
            found = (Reference(request.operator, request.operator_file, keys, request.dtype, device), 0)
            self._references[key] = found
        self._references.move_to_end(key)
        return found[0]

    def forget(self) -> None:
        """After a judgement: drop the references that are cheap, worn, or too many."""
        for key, (reference, uses) in tuple(self._references.items()):
            if reference.seconds < REUSED_SECONDS or uses + 1 >= MOST_USES:
                del self._references[key]
            else:
                self._references[key] = (reference, uses + 1)
        while len(self._references) > MOST_REFERENCES:
            self._references.popitem(last=False)

    def _hardware(self, request: JudgeRequest) -> str:
        device = self.machine.device_for(request.target)
        return device.name if device is not None else self.machine.cpu

    def _verdict(self, request: JudgeRequest, findings: Findings, seconds: float) -> Verdict:
        failure = findings.failure
        if failure is None and not findings.evidence:
            reasons = (
                "; ".join(f"{name}: {why}" for name, why in findings.absent.items()) or "no evidence was asked for"
            )
            failure = CandidateFailed(Status.NOT_RUN, reasons)
        if request.profile and not findings.profile:
            findings.absent.setdefault("profile", "counters are read only of what is right and timed")
        executed = Evidence.EXECUTED in findings.evidence
        results = tuple(one.result for one in findings.measured)
        correctness = (
            Correctness(
                max(r.error for r in results),
                max(m.relative for m in findings.measured),
                results,
                findings.deterministic,
            )
            if results
            else None
        )
        return Verdict(
            status=failure.status if failure else Status.PASSED,
            message=failure.message if failure else _praise(findings, request),
            target=request.target.name,
            evidence=in_order(findings.evidence),
            environment=Environment(self._hardware(request) if executed else self.machine.cpu, _libraries()),
            timestamp=datetime.now(UTC).isoformat(timespec="seconds"),
            log=failure.log if failure else "",
            correctness=correctness,
            timing=tuple(findings.timing),
            resources=tuple(findings.resources),
            profile=findings.profile,
            absent=findings.absent,
            tolerance=request.tolerance,
            seconds=round(seconds, 3),
            warnings=(*_warnings(request), *findings.warnings),
            sandbox=findings.layers or (),
        )


def _module_of(toolchain: Toolchain, request: JudgeRequest) -> str:
    if isinstance(request.candidate, str):
        return request.candidate
    try:
        return toolchain.source_module(request.candidate)
    except CompileFailure as error:
        raise compile_failed(str(error)) from None


def _praise(findings: Findings, request: JudgeRequest) -> str:
    numerics = [e.value for e in findings.evidence if e in NUMERIC]
    built = [e.value for e in findings.evidence if e not in NUMERIC]
    parts = []
    if numerics:
        calls = len(findings.measured)
        factors = {float(case.get("tolerance", request.tolerance)) for case in request.cases} or {request.tolerance}
        shown = " to ".join(f"{one:g}" for one in sorted({min(factors), max(factors)}))
        loosened = "" if factors == {1.0} else f", with bounds multiplied by {shown}"
        parts.append(f"right on all {calls} input sets ({' and '.join(numerics)}{loosened})")
    if built:
        parts.append(" and ".join(built) + ("" if numerics else "; numerics were not run"))
    return "; ".join(parts)


def _warnings(request: JudgeRequest) -> tuple[str, ...]:
    return (FRAMEWORK_ALLOWED,) if request.framework == "allow" else ()


def _libraries() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in ("torch", "triton", "apache-tvm-ffi", "tilelang"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
