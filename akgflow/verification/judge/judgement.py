"""One judgement, from a request to a verdict: what is gathered, in which order, and what becomes of failures."""

from __future__ import annotations

import hashlib
import math
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from akgflow import toolchains
from akgflow.config.types import Scalar
from akgflow.errors import AkgflowError, MachineExhausted, machine_error
from akgflow.machine import Machine
from akgflow.sanitized import Sanitized
from akgflow.terms import Evidence, Status, in_order
from akgflow.toolchains import CompileFailure, Toolchain
from akgflow.verdict import JudgeRequest, Verdict
from akgflow.verification.judge.answers.numerics import ask_all
from akgflow.verification.judge.build_cache import BuildCache, libraries
from akgflow.verification.judge.candidate_process import BUILDS, ForkServerClient
from akgflow.verification.judge.evaluation import REUSES, Trial
from akgflow.verification.judge.failures import CandidateFailed, Disturbed, Unfit, compile_failed, result_failure
from akgflow.verification.judge.findings import NUMERIC, Findings
from akgflow.verification.judge.processes import Processes
from akgflow.verification.judge.resources import memory_plan, profiler
from akgflow.verification.judge.resources.memory_plan import Plan
from akgflow.verification.judge.second_look.other_shapes import Asking
from akgflow.verification.judge.second_look.other_weights import ask_with_other_weights
from akgflow.verification.judge.second_look.sanitizers import Looking, Recording
from akgflow.verification.judge.second_look.unseen import unseen
from akgflow.verification.judge.second_look.without_kernels import require_kernels_matter
from akgflow.verification.judge.timing import Called, Starts, TimedCases
from akgflow.verification.reference.operator import OperatorError, TooLarge, cases_of
from akgflow.verification.reference.reference import Reference
from akgflow.verification.sandbox.untrusted_files import tidy

ORDER = in_order(Evidence)[-2::-1]
"""From what is cheap to find out: without a device, a candidate that does not compile is not run."""

AGAIN = "again"  # folder below the scratch for the second judgement of a candidate that somebody ended

_secret = random.SystemRandom()

Cases = tuple[Mapping[str, Scalar], ...]
Grant = Callable[[], None]
"""Returns when the machine is this judge's alone."""


@dataclass(frozen=True)
class Tools:
    """What judgements of one judge share."""

    machine: Machine
    server: ForkServerClient
    build_cache: BuildCache
    reference: Callable[[JudgeRequest, Mapping[str, Scalar], str, Plan], Reference]
    """The reference of a case on a device, as planned."""


class Judgement:
    """Judges one candidate. Its steps write what they find to ``findings``."""

    def __init__(self, tools: Tools, request: JudgeRequest, scratch: Path, grant: Grant) -> None:
        self.tools, self.request, self.scratch, self.grant = tools, request, scratch, grant
        self.findings = Findings()
        self.plans: Sequence[Plan] = ()
        self._called: list[Called] = []
        self._more = 0.0  # seconds beyond what the judge plans with
        self.started = time.monotonic()

    @cached_property
    def toolchain(self) -> Toolchain:
        """Raises `PrerequisiteError` where it is not installed."""
        return toolchains.get(self.request.toolchain)

    @cached_property
    def cases(self) -> Cases:
        """The operator's cases; raises `OperatorError`."""
        stated = (*self.request.cases, *self.request.secret_cases, *self.drawn)
        return cases_of(self.request.operator, self.request.operator_file, stated)

    @cached_property
    def drawn(self) -> Cases:
        """Further secret cases, between the stated ones; raises `OperatorError`."""
        return unseen(self.request) if self.request.unseen else ()

    def is_secret(self, keys: Mapping[str, Scalar]) -> bool:
        return any(one.items() <= keys.items() for one in (*self.request.secret_cases, *self.drawn))

    @cached_property
    def module(self) -> str:
        """The candidate's text, or what stands for a source kernel; raises `CandidateFailed`."""
        if isinstance(self.request.candidate, str):
            return self.request.candidate
        try:
            return self.toolchain.source_module(self.request.candidate)
        except CompileFailure as error:
            raise compile_failed(str(error)) from None

    def run(self) -> Verdict:
        """The verdict; whatever the candidate does is in it, never an exception.

        Raises `MachineExhausted` where the machine is short of something, or its processes were ended twice.
        """
        self._try()
        if isinstance(self.findings.failure, Disturbed):
            self.scratch, self.findings = self.scratch / AGAIN, Findings()
            self._try()
        failure = self.findings.failure
        if isinstance(failure, Disturbed) and failure.status is Status.NOT_RUN:
            raise MachineExhausted(f"twice in one judgement: {failure.message}")
        self.findings.sanitized = self._sanitized() if self.request.sanitize and self.plans else ()
        seconds = time.monotonic() - self.started
        return self.findings.verdict(self.request, self.tools.machine, seconds, self.is_secret)

    def _try(self) -> None:
        pressure = self.tools.server.pressure
        pressure.begin(self.scratch)
        try:
            with memory_plan.bounded(self.request.target.on_host, self.request.limits.judgement_bytes):
                self._gather()
        except CandidateFailed as failure:
            self.findings.failure = failure
            if not isinstance(failure, Disturbed) and (short := pressure.explain("")):
                raise short from failure
        except Exception as error:
            words = memory_plan.no_room(error)
            if not words and not isinstance(error, OperatorError | AkgflowError):
                raise
            if short := machine_error(error) or pressure.explain(str(error)):
                raise short from error
            unfit = not words and isinstance(error, OperatorError) and not isinstance(error, TooLarge)
            self.findings.failure = Unfit(str(error)) if unfit else CandidateFailed(Status.NOT_RUN, words or str(error))

    def _sanitized(self) -> tuple[Sanitized, ...]:
        key, found, tools = self.builds_key(Evidence.EXECUTED), self.findings, self.tools
        recording = Recording(tools.server, tools.build_cache, key, tools.machine.cores)
        about = self.request, self.module, found.failure, tuple(found.evidence), self.scratch / "sanitized"
        return Looking(*about, self._references, recording).found()

    def _gather(self) -> None:
        absent = self.findings.absent
        for evidence in self.request.evidence:
            reason = toolchains.missing(self.request.toolchain, evidence, self.request.target, self.tools.machine)
            if reason is not None:
                absent[evidence.value] = reason
        wanted = _ordered(e for e in self.request.evidence if e.value not in absent)
        # Whatever is wrong with them is found out before any process is started.
        _ = self.toolchain, self.cases, self.module
        for place, evidence in enumerate(wanted):
            if evidence in self.findings.evidence:
                continue
            try:
                self._gather_evidence(evidence)
            except CandidateFailed as failure:
                if self._is_no_fault(evidence, failure):
                    absent[evidence.value] = failure.message
                    continue
                for skipped in wanted[place + 1 :]:
                    absent[skipped.value] = f"not gathered: the candidate failed before ({evidence.value})"
                raise

    def _is_no_fault(self, evidence: Evidence, failure: CandidateFailed) -> bool:
        """True where something of ours was not able: it says so, or it stands for a device that ran the candidate."""
        if isinstance(failure, Disturbed) or failure.status is Status.REFUSED:
            return False
        if failure.status is Status.NOT_RUN:
            return True
        # What was found wrong on the device itself is among the evidence, too.
        return evidence is not Evidence.EXECUTED and Evidence.EXECUTED in self.findings.evidence

    def _gather_evidence(self, evidence: Evidence) -> None:
        """Gather one kind of evidence in one candidate process."""
        self.request, self.plans = memory_plan.planned(self.request, self.cases, evidence, self.tools.machine.cores)
        scratch = self.scratch / evidence.value
        scratch.mkdir(parents=True)
        key = self.builds_key(evidence)
        self.tools.build_cache.fetch(key, scratch / BUILDS)
        with self._processes(evidence, scratch) as processes:
            trial = processes.first()
            if evidence in NUMERIC:
                self._numerics(trial)
                trial.close()
                self._other_shapes(trial, processes.another)
            else:
                self._compile(trial)
        if evidence is Evidence.EXECUTED and self.request.time and self.request.baselines:
            self._time(trial)
        if evidence is Evidence.EXECUTED and Evidence.COMPILED in self.request.evidence:
            self._read_resources_of_run(scratch)
        self.tools.build_cache.keep(key, scratch / BUILDS)
        if evidence not in NUMERIC:
            self._read_resources(scratch)
            self.findings.evidence.append(evidence)

    def _processes(self, evidence: Evidence, scratch: Path) -> Processes:
        """Of the candidate, for one kind of evidence.

        While it builds, a device prepares what the first answers are held against. A case that fills the memory is
        prepared later, and on a processor, too: it is seen there how long an oracle takes, and a build would take its
        cores.
        """

        def make() -> Trial:
            trial = Trial(self.tools.server, self.request, evidence, scratch, self.tools.machine.cores)
            self.findings.bounded_by(trial.process.layers)
            return trial

        def prepare() -> None:
            self.reference(self.cases[0], "cuda").prepare()

        on_device = evidence is Evidence.EXECUTED and not self.request.target.on_host
        beside = prepare if on_device and self.plans[0].slicing is None else None
        second = bool(self.request.layouts) or not self.request.shapes.fixed
        return Processes(make, self.module, beside, second=second)

    def _compile(self, trial: Trial) -> None:
        for keys in self.cases:
            reference = self.reference(keys, "cpu")
            trial.build(reference)
            trial.compile(reference)
        trial.require_kernels()

    def _read_resources(self, scratch: Path) -> None:
        tidy(scratch)
        try:
            self.findings.resources += self.toolchain.resources(self.request.target, scratch)
        except CompileFailure as error:
            raise compile_failed(str(error)) from None
        except (OSError, ValueError, RecursionError) as error:
            # The candidate could write there: what no tool of ours would leave is its own.
            why = f"what the candidate compiled cannot be read: {type(error).__name__}: {error}"
            raise CandidateFailed(Status.REFUSED, why) from None

    def _read_resources_of_run(self, scratch: Path) -> None:
        """What was compiled for the run on the device says more than another compilation; without it, there is one."""
        with suppress(CandidateFailed):
            before = len(self.findings.resources)
            self._read_resources(scratch)
            if len(self.findings.resources) > before:
                self.findings.evidence.append(Evidence.COMPILED)

    def builds_key(self, evidence: Evidence, module: str | None = None) -> str:
        """Identifies a build by all that goes into it: another compiler builds again."""
        request, cpu = self.request, self.tools.machine.cpu
        parts = (module or self.module, request.toolchain, request.target, evidence.value, cpu, libraries())
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def reference(self, keys: Mapping[str, Scalar], device: str) -> Reference:
        return self.tools.reference(self.request, keys, device, self.plans[self.cases.index(keys)])

    def _references(self, device: str) -> list[Reference]:
        return [self.reference(keys, device) for keys in self.cases]

    def _numerics(self, trial: Trial) -> None:
        findings, self._called = self.findings, []
        try:
            for keys in self.cases:
                reference = self.reference(keys, trial.device)
                reference.prepare()
                memory_plan.require_left(self.plans[self.cases.index(keys)].called)
                findings.warnings.update(dict.fromkeys(reference.warnings))
                findings.allowed = findings.allowed or reference.oracle.permission
                trial.build(reference)
                trial.quickest = math.inf
                ask_all(trial, reference)
                self._called.append(Called(reference, trial.quickest, trial.constructing))
                findings.warnings.update(dict.fromkeys(ask_with_other_weights(trial, reference)))
                if result_failure(trial.measured) is not None:
                    trial.shorten_limits()
            if result_failure(trial.measured) is None:
                self._recheck(trial)
            if result_failure(trial.measured) is None:
                trial.require_kernels()
                trial.require_no_stray_reply()
                self._without_kernels(trial)
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

    def _recheck(self, trial: Trial) -> None:
        """More calls: of the last case, and, where there are several, of one that came before."""
        *others, last = self.cases
        trial.repeat(self.reference(last, trial.device))
        if others and result_failure(trial.measured) is None:
            earlier = self.reference(_secret.choice(others), trial.device)
            trial.build(earlier)
            trial.once_more(earlier)

    def _without_kernels(self, trial: Trial) -> None:
        """The case in which most is to be done, asked once more in a process in which the DSL does nothing."""
        most = max(self._references(trial.device), key=lambda one: one.work.total)
        trial.build(most)
        require_kernels_matter(trial, most)

    def _other_shapes(self, trial: Trial, another: Callable[[], Trial]) -> None:
        """Shapes beside the stated ones, in another process."""
        large, seconds = any(plan.slicing is not None for plan in self.plans), time.monotonic() - self.started
        asking = Asking(self.request, self.cases, trial.evidence, another, seconds, large)
        try:
            self.findings.shapes = asking.found()
        finally:
            self.findings.measured += asking.wrong

    def _time(self, trial: Trial) -> None:
        """Time the cases that are no secret, with the machine to itself; where all are, the largest of them."""
        findings = self.findings
        if REUSES in trial.warnings:
            findings.absent["timing"] = REUSES
            return
        for one in self._called:
            one.reference.prepare()
        told = [one for one in self._called if not self.is_secret(one.keys)]
        largest = max(told or self._called, key=lambda one: one.elements)
        self.grant()
        timed = self._timed(trial, told or [largest], rivals=not self.request.unseen)
        for timing in timed.timing:
            (findings.beside if timing.baseline in self.request.rivals else findings.timing).append(timing)
        findings.untimed = timed.untimed
        if self.request.unseen:
            self._time_drawn(trial)
        if not findings.timing:
            findings.absent["timing"] = next(one.reason for one in timed.untimed if one.case == largest.keys)
        elif self.request.profile:
            self._profile(trial.scratch, largest.reference)

    def _timed(self, trial: Trial, cases: Sequence[Called], *, rivals: bool) -> TimedCases:
        """Cases that were timed together, against the rivals, too, where that is wanted."""
        request, tools = self.request, self.tools

        def starts(reference: Reference) -> Starts:
            found = Starts(tools.server, request, trial.scratch, tools.machine.cores, reference)
            found.rivals = request.rivals if rivals else {}
            for name, text in found.rivals.items():
                folder = found.folder_of(name) / BUILDS
                if not folder.exists():
                    folder.parent.mkdir()
                    tools.build_cache.fetch(self.builds_key(trial.evidence, text), folder)
            return found

        if len(cases) > 1:
            # How long a busy machine took until here must not decide which cases have a time.
            self._more += request.limits.judge_seconds - self._seconds_left(trial)
        timed = TimedCases(request, starts, self.module, self._hardware(), lambda: self._seconds_left(trial))
        timed.run(cases)
        self.findings.warnings.update(timed.warnings)
        return timed

    def _time_drawn(self, trial: Trial) -> None:
        """Time the drawn cases beside the rivals."""
        drawn = [one for one in self._called if any(case.items() <= one.keys.items() for case in self.drawn)]
        if not drawn:
            self.findings.absent["beside"] = "no shape between the stated ones was found with which the operator runs"
            return
        timed = self._timed(trial, drawn, rivals=True)
        self.findings.beside += [one for one in timed.timing if one.baseline in self.request.rivals]
        missing = len(drawn) - len({str(one.case) for one in self.findings.beside})
        if missing:
            reasons = dict.fromkeys((*(one.reason for one in timed.untimed), *timed.warnings))
            self.findings.absent["beside"] = f"{missing} of {len(drawn)} shapes: {'; '.join(reasons)}"

    def _seconds_left(self, trial: Trial) -> float:
        """Of what the judge plans with; what was built is not counted."""
        limits = self.request.limits
        planned = limits.judge_seconds + self._more
        return planned - (time.monotonic() - self.started) + limits.build_seconds - trial.build_left

    def _profile(self, scratch: Path, largest: Reference) -> None:
        """Counters about what was timed, while the machine is still this judge's alone."""
        if largest.device != "cuda":
            self.findings.absent["profile"] = "counters are read of GPUs only"
            return
        try:
            self.findings.profile = profiler.take(self.request, self.module, largest, scratch)
        except profiler.NotProfiled as error:
            self.findings.absent["profile"] = str(error)

    def _hardware(self) -> str:
        device = self.tools.machine.device_for(self.request.target)
        return device.name if device is not None else self.tools.machine.cpu


def _ordered(evidence: Iterable[Evidence]) -> list[Evidence]:
    """Where a device is, the device decides; else what is cheap to find out comes first."""
    wanted = set(evidence)
    return sorted(wanted, key=lambda one: (one is not Evidence.EXECUTED, ORDER.index(one)))
