"""What sanitizers say about a candidate's kernels. A finding leaves the status as it is, and meets no gate.

Where an interpreter judged, it has looked at every call already. Kernels on this machine's processor are recorded in
one more process of the candidate, and then built again and called without any Python of the candidate's
(`akgflow.verification.candidate.sanitize_worker`). On an NVIDIA device compute-sanitizer looks at one call.

Kernels are looked at where they were right, and where they were wrong or crashed, too: then the line is what helps. One
that hides from a sanitizer on purpose is not found out.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from akgflow import toolchains
from akgflow.base.serial import from_data, of_others, to_data
from akgflow.sanitized import Finding, Sanitized
from akgflow.terms import Evidence, Status
from akgflow.verdict import JudgeRequest
from akgflow.verification.judge.build_cache import BuildCache
from akgflow.verification.judge.candidate_process import BUILDS, ForkServerClient
from akgflow.verification.judge.evaluation import Trial
from akgflow.verification.judge.failures import CandidateFailed
from akgflow.verification.judge.resources import bounded, compute_sanitizer
from akgflow.verification.reference.reference import Reference
from akgflow.verification.shared.protocol import SanitizeRequest

SECONDS = 600.0
"""For building for the tools of one kind, and for the calls."""
ELEMENTS = 1 << 17
"""Of a call's inputs: of the cases below it the largest is looked at, else the smallest."""
RAN = (Status.PASSED, Status.INCORRECT_NUMERICAL, Status.INCORRECT_SHAPE, Status.RUNTIME_ERROR, Status.REFUSED)
"""Statuses of kernels that were called."""
RECORDED = "recorded"
ON_DEVICE = {"cuda": compute_sanitizer.look}
"""What looks at a call on a device, by platform."""
_FAULT = re.compile(r"KernelFault: (?P<words>.*)", re.DOTALL)
_RACE = re.compile(r"\brace|same place|barrier|__syncthreads|__syncwarp|deadlock|different orders?", re.IGNORECASE)
_PLACES = (
    re.compile(r"^kernel (?P<kernel>\w+), line (?P<line>\d+)"),
    re.compile(r"^(?P<kernel>\w+):.*?\blines? (?P<line>\d+)", re.DOTALL),
    re.compile(r"^(?P<kernel>\w+)(?P<line>):"),
)


@dataclass(frozen=True)
class Recording:
    """How one more process of the candidate is started, with what it built in the others."""

    server: ForkServerClient
    build_cache: BuildCache
    key: str
    cores: int

    def start(self, request: JudgeRequest, scratch: Path, evidence: Evidence) -> Trial:
        """A process that records, and that nothing has been asked of."""
        self.build_cache.fetch(self.key, scratch / BUILDS)
        trial = Trial(self.server, request, evidence, scratch, self.cores)
        trial.records = str(scratch / RECORDED)
        return trial


@dataclass(frozen=True)
class Looking:
    """One candidate, after it was judged."""

    request: JudgeRequest
    module: str
    failure: CandidateFailed | None
    evidence: tuple[Evidence, ...]
    """What was gathered."""
    folder: Path
    references: Callable[[str], list[Reference]]
    """Of all cases, on a device."""
    recording: Recording

    def found(self) -> tuple[Sanitized, ...]:
        """One for each kind that is asked for."""
        return tuple(self._looked())

    def _looked(self) -> Iterator[Sanitized]:
        status = Status.PASSED if self.failure is None else self.failure.status
        request = self.request
        executed = Evidence.EXECUTED in request.evidence and Evidence.INTERPRETED not in self.evidence
        checks = toolchains.interpreter_checks(request.toolchain)
        if status not in RAN:
            yield from self._absent(f"the kernel was not run: {status}")
        elif Evidence.INTERPRETED in request.evidence and not (executed and Evidence.EXECUTED in self.evidence):
            yield from (self._interpreted(kind, checks) for kind in request.sanitize)
        elif not executed:
            yield from self._absent("the kernel was compiled, and not run")
        elif not request.target.on_host:
            yield from self._on_device()
        else:
            yield from self._on_host()

    def _absent(self, why: str) -> Iterator[Sanitized]:
        return (Sanitized(kind, absent=why) for kind in self.request.sanitize)

    def _interpreted(self, kind: str, checks: dict[str, str]) -> Sanitized:
        """What the interpreter has seen: a fault of the kernel ended the judgement with its words."""
        tool = checks.get(kind)
        if tool is None:
            return Sanitized(kind, absent=f"the interpreter of {self.request.toolchain} does not look for it")
        fault = None if self.failure is None else _FAULT.search(self.failure.message)
        if fault is not None:
            words = fault["words"].strip()
            of = "race" if _RACE.search(words) else "memory"
            if of == kind:
                return Sanitized(kind, tool, (self._with_line(_finding(words)),))
            return Sanitized(kind, absent=f"the interpreter stopped at a fault of another kind ({of})")
        if Evidence.INTERPRETED not in self.evidence:
            return Sanitized(kind, absent="the kernel was not interpreted")
        return Sanitized(kind, tool)

    def _with_line(self, found: Finding) -> Finding:
        """The same with its line, where the toolchain can say it in another process that looks at each access."""
        if found.line is not None:
            return found
        scratch = self.folder / "watched"
        scratch.mkdir(parents=True)
        try:
            self._call(scratch, Evidence.INTERPRETED, self.references("cpu"))
        except CandidateFailed as failure:
            again = _FAULT.search(failure.message)
            return _finding(again["words"].strip()) if again is not None else found
        return found

    def _call(self, scratch: Path, evidence: Evidence, references: Iterable[Reference]) -> None:
        """Call the kernel once on each case in a process that records; raises `CandidateFailed`."""
        trial = self.recording.start(self.request, scratch, evidence)
        try:
            trial.open()
            trial.load(self.module)
            for reference in references:
                reference.prepare()
                trial.build(reference)
                trial.check(reference, reference.draws[0])
        finally:
            trial.close()

    def _small(self, device: str) -> Reference:
        """The case that is looked at."""
        sized = [(one.draws[0].elements, number, one) for number, one in enumerate(self.references(device))]
        small = [one for one in sized if one[0] <= ELEMENTS]
        return max(small)[2] if small else min(sized)[2]

    def _on_device(self) -> Iterator[Sanitized]:
        platform = self.request.target.platform
        look = ON_DEVICE.get(platform)
        if look is None:
            yield from self._absent(f"there is no sanitizer for {platform} here")
            return
        reference = self._small("cuda")
        reference.prepare()
        scratch = self.folder / "scratch"
        scratch.mkdir(parents=True)
        for kind in self.request.sanitize:
            yield look(kind, self.request, self.module, reference, scratch)

    def _on_host(self) -> Iterator[Sanitized]:
        if toolchains.sanitizer(self.request.toolchain) is None:
            yield from self._absent(f"the toolchain {self.request.toolchain} has no sanitizers")
            return
        scratch = self.folder / "scratch"
        scratch.mkdir(parents=True)
        with suppress(CandidateFailed):
            # One that crashes in the call has been recorded before it.
            self._call(scratch, Evidence.EXECUTED, [self._small("cpu")])
        for kind in self.request.sanitize:
            yield self._of_recorded(kind, scratch)

    def _of_recorded(self, kind: str, scratch: Path) -> Sanitized:
        asked = SanitizeRequest(self.request.toolchain, kind, str(scratch), str(scratch / RECORDED))
        file = self.folder / f"{kind}.json"
        file.write_text(json.dumps(to_data(asked)), encoding="utf-8")
        worker = [sys.executable, "-P", "-m", "akgflow.verification.candidate.sanitize_worker", str(file)]
        try:
            said = bounded.run(worker, self.folder, scratch, SECONDS)
        except TimeoutError as error:
            return Sanitized(kind, absent=f"{error}: give a smaller case")
        last = (said.strip().splitlines() or ["it said nothing"])[-1]
        try:
            return from_data(of_others(last), Sanitized)
        except Exception:
            # The process is ours, and what it runs is the candidate's: whatever came between them is no finding.
            return Sanitized(kind, absent=f"the process that looks failed: {last[:300]}")


def _finding(words: str) -> Finding:
    """What an interpreter says, with the kernel and the line that it names."""
    for form in _PLACES:
        if match := form.search(words):
            line = int(match["line"]) if match["line"] else None
            return Finding(words, "candidate.py" if line is not None else "", line, match["kernel"])
    return Finding(words)
