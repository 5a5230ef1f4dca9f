"""One candidate process for one kind of evidence: starting it, asking it, and checking what it hands over."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import torch

from akgflow import toolchains
from akgflow.terms import Evidence, Status
from akgflow.verdict import CaseResult, JudgeRequest
from akgflow.verification.judge.answers import side_effects
from akgflow.verification.judge.answers.regions import Regions
from akgflow.verification.judge.candidate_process import CandidateProcess, ForkServerClient
from akgflow.verification.judge.failures import (
    CandidateFailed,
    Disturbed,
    Measured,
    blame_repeat,
    measured_from,
)
from akgflow.verification.judge.resources.resource_monitor import resident
from akgflow.verification.reference.inputs import Draw
from akgflow.verification.reference.reference import Reference
from akgflow.verification.reference.special.gradients import check_form
from akgflow.verification.reference.tolerance import compare
from akgflow.verification.shared import memory
from akgflow.verification.shared.library_traps import Trap
from akgflow.verification.shared.op_classes import MOVES
from akgflow.verification.shared.op_policy import PolicyPage
from akgflow.verification.shared.protocol import (
    MODULE,
    Build,
    Call,
    Called,
    Load,
    Open,
    OpenBaseline,
    Optimize,
    Ping,
    Prepare,
    Request,
)

CALLS = 10
"""Calls of one process that are checked before it is believed, where calls are quick; a few more at random."""
REPEAT_SECONDS = 1.5
SLOWER = 100.0
"""A call hangs after so many times what the framework takes for it, and the seconds after which anything else does."""
SHORTENED_SECONDS = 15.0
"""For builds and for calls once an answer was wrong."""
PING_SECONDS = 10.0
REUSES = "an answer is overwritten by the next call: copy what is to be kept"
LATE = "; the answer changed after it was taken: the current stream must wait for work on other streams"

_secret = random.SystemRandom()
R = TypeVar("R")


class Trial:
    """A candidate process, from its start to its end. Every step may raise `CandidateFailed`."""

    def __init__(
        self,
        server: ForkServerClient,
        request: JudgeRequest,
        evidence: Evidence,
        scratch: Path,
        threads: int,
        reads: Sequence[str] = (),
    ) -> None:
        self.request, self.evidence, self.scratch = request, evidence, scratch
        on_gpu = evidence is Evidence.EXECUTED and not request.target.on_host
        self._prepared = toolchains.prepared(request.toolchain)
        seen = (*self._prepared, *reads)
        self.process: CandidateProcess = server.spawn(scratch, request.limits, threads, on_gpu, seen)
        self.build_left, self.run_left = request.limits.build_seconds, request.limits.run_seconds
        self.calls = 0
        self.kernels: set[str] = set()
        self.measured: list[Measured] = []
        self.device = "cuda" if on_gpu else "cpu"
        """Where its tensors are; its process says more about it."""
        self.records = ""  # a folder for what kernels are called with
        self.deterministic: bool | None = None
        self.warnings: set[str] = set()
        self.asked: list[tuple[Draw, Sequence[torch.Tensor]]] = []
        """Of the case that is asked about: answers by which it is seen whether equal questions get equal bytes."""
        self._right: list[tuple[Draw, Sequence[torch.Tensor], Measured]] = []
        """Of a large case: digests of right answers. The same bytes again are right again."""
        self._regions = Regions()
        self._inputs: side_effects.Placement | None = None
        self._late = False
        self._own_code = frozenset[str]()
        self._patience = math.inf
        """Seconds in which code of the candidate's may neither answer nor build."""
        self._slowest, self.quickest = 0.0, math.inf
        self.constructing = 0.0
        """Seconds that the last model took to construct."""
        self.grown = 0
        """Bytes by which preparing weights made it grow at most."""

    def open(self) -> None:
        """Prepare the toolchain; none of the candidate's code runs."""
        name, tf32 = self.request.toolchain, self.request.precision.tf32
        try:
            wanted = Open(name, self.evidence, self.request.target, self._prepared, self.guarded, tf32, self.records)
            self.device = self._build_ask(wanted, self._guard()).device
        except Disturbed:
            raise
        except CandidateFailed as error:
            # None of the candidate's code has been read yet, so this is not its fault.
            raise CandidateFailed(Status.NOT_RUN, f"toolchain {name} failed: {error.message}", error.log) from None

    def load(self, module: str) -> None:
        """Import the candidate."""
        self._put(module)
        self._own_code = self.process.code()
        self.process.stand_in = self.evidence is not Evidence.EXECUTED
        self._patience = self.request.limits.hang_seconds
        self._build_ask(Load(str(self.scratch / MODULE), "ModelNew"))

    def _put(self, text: str) -> None:
        """Write the module at one stroke: other processes may load the same one from the same folder."""
        fresh = self.scratch / f"{MODULE}.{_secret.getrandbits(64):x}"
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(self.scratch / MODULE)

    @property
    def guarded(self) -> bool:
        """True when the framework may not do the operator's work."""
        return self.request.framework == "forbid"

    def _guard(self) -> list[int]:
        """Descriptors of the policy that binds the framework in the candidate's process, and of the libraries' trap."""
        if not self.guarded:
            return []
        self.process.policy = PolicyPage()
        if self.evidence is not Evidence.EXECUTED:
            # An interpreter does a kernel's work with numpy, and numpy multiplies with such a library. What is only
            # compiled may be interpreted too, where host code asks what kernels compute.
            return [self.process.policy.fd]
        self.process.trap = Trap()
        return [self.process.policy.fd, self.process.trap.fd]

    def start_baseline(self, reference: Reference, text: str) -> None:
        """Import the operator itself, in place of a candidate, by the same request."""
        self._put(text)
        self.device = reference.device
        self.process.trusted = True
        self._build_ask(OpenBaseline(self.device, self.request.precision.tf32))
        self._build_ask(Load(str(self.scratch / MODULE), "Model", reference.file))

    def build(self, reference: Reference, *, baseline: bool = False) -> None:
        """Construct the model for a case and give it the drawn parameters."""
        fds: list[int] = []
        constants = (("init", reference.init), ("state", reference.state_layout))
        self._regions.device = self.device
        init, state = (self._regions.give(name, layout, fds) for name, layout in constants)
        moves: list[str] = []
        if self.process.policy is not None and not baseline:
            tunes = self.evidence is Evidence.EXECUTED
            self.process.policy.expect(reference.work, sum(t.numel() for t in reference.state.values()), tunes)
            moves = sorted(MOVES & set(reference.work.own))
        request = Build(
            reference.init.tree,
            reference.state_layout.tree,
            init,
            state,
            stand_in=not baseline and not isinstance(self.request.candidate, str),
            mode=reference.case.mode,
            moves=moves,
            wanted=None if reference.case.wanted is None else vars(reference.case.wanted),
            seed=reference.seeds.of("model"),
        )
        started = time.monotonic()
        self._build_ask(request, fds)
        self.constructing = time.monotonic() - started
        if reference.case.prepare is not None and not baseline:
            self.prepare(reference)

    def prepare(self, reference: Reference) -> float:
        """Put the weights in place and have the candidate prepare for them; the seconds that this took it."""
        state = self._regions.get("state")
        if state is not None:
            reference.state_layout.write(state)
            _ = torch.cuda.synchronize() if self.device == "cuda" else None
        before, started = resident(self.process.pid, self.device), time.monotonic()
        own = max(min(self.run_left, self._patience if self.evidence is Evidence.EXECUTED else math.inf), 1.0)
        self.process.ask(Prepare(), own, building=max(self.build_left, 0.0))
        seconds = time.monotonic() - started
        self.run_left -= seconds - self.process.built
        self.build_left -= self.process.built
        self.grown = max(self.grown, resident(self.process.pid, self.device) - before)
        if self.process.policy is not None:
            self.process.policy.rest()
        self.process.require_alone()
        problem = side_effects.check_state(reference, state, "prepare()") if state is not None else None
        if problem is not None:
            raise CandidateFailed(*problem)
        return seconds

    def _build_ask(self, request: Request[R], fds: Sequence[int] = ()) -> R:
        started = time.monotonic()
        own = max(min(self.build_left, self._patience), 1.0)
        reply = self.process.ask(request, own, fds, building=self.build_left - own)
        self.build_left -= time.monotonic() - started
        return reply

    def compile(self, reference: Reference) -> None:
        """Run the candidate's host code once, so that its kernels are built; no answers are looked at.

        Host code may look at values: which token goes where, how long a sequence is.
        """
        layout, fds = reference.shapes(), list[int]()
        handle = self._regions.scratch(layout, fds, sparsely=True)
        try:
            self._timed_call(reference, Call(handle, layout.tree, 0, None, []), fds)
        except CandidateFailed as failure:
            if failure.status is not Status.OUT_OF_MEMORY or self.device == "meta":
                raise
            why = f"what the host code allocates does not fit into this machine's memory ({failure.message})"
            raise CandidateFailed(Status.NOT_RUN, why, failure.log) from None

    def optimize(self, reference: Reference, seconds: float) -> None:
        """Have a baseline's model compiled by `torch.compile` for the shapes of a case."""
        layout, fds = reference.shapes(), list[int]()
        self.process.ask(Optimize(self._regions.scratch(layout, fds), layout.tree), seconds, fds)

    def require_kernels(self) -> None:
        """Raise `CandidateFailed` when nothing of the DSL ran, though the framework was not to do its work.

        That a process says so itself is not enough: the judge must see a kernel, too, where there is one to be seen.
        """
        if self.guarded and (not self.kernels or self.sees_kernels() is False):
            what = "was built" if self.device == "meta" else "ran"
            raise CandidateFailed(Status.FALLBACK, f"no kernel of the DSL {what}: something else did the work")

    def sees_kernels(self) -> bool | None:
        """Whether the judge sees kernels of the DSL in the process; None where they are not visible."""
        files = self.process.code() - self._own_code
        return toolchains.sees_kernels(self.request.toolchain, self.evidence, self.request.target, self.scratch, files)

    def require_no_stray_reply(self) -> None:
        """Raise `CandidateFailed` where a reply was forged: then the process's own is still to come."""
        self.process.ask(Ping(), PING_SECONDS)

    def shorten_limits(self, seconds: float = SHORTENED_SECONDS) -> None:
        """Leave little time after a wrong answer: other cases may show where, and a broken process may hang in them."""
        self.build_left, self.run_left = min(self.build_left, seconds), min(self.run_left, seconds)

    def repeat(self, reference: Reference) -> None:
        """More calls on questions that were answered rightly before, until one is answered wrongly."""
        wanted, until = CALLS + _secret.randrange(7), time.monotonic() + REPEAT_SECONDS
        slow = self.quickest > REPEAT_SECONDS
        while not slow and self.calls < wanted and time.monotonic() < until and self.once_more(reference):
            pass

    def once_more(self, reference: Reference, draw: Draw | None = None) -> bool:
        """One such call; false when its answer is wrong."""
        again = self.check(reference, draw or _secret.choice(reference.draws))
        if again.result.status is Status.PASSED:
            return True
        self.measured.append(blame_repeat(again, self.calls))
        return False

    def check(self, reference: Reference, draw: Draw, base: int = 0, between: Draw | None = None) -> Measured:
        """One call, its inputs ``base`` bytes further on, judged by what the shared memory holds afterwards."""
        result = CaseResult(reference.case.keys, draw.distribution, Status.PASSED, seed=reference.seeds.secret)
        try:
            outputs = self._call(reference, draw, base, between)
            return self._judged(reference, draw, result, outputs)
        except _Wrong as wrong:
            return Measured(replace(result, status=wrong.status, detail=wrong.detail))
        except CandidateFailed as failure:
            touched = side_effects.crash(reference, self._inputs, self._regions.get("state"))
            raise CandidateFailed(*touched, failure.log) if touched is not None else failure from None
        finally:
            # What a large case was asked with is not kept for the next question.
            self._inputs = None if draw.in_place else self._inputs
            self.process.resume()

    def _judged(
        self, reference: Reference, draw: Draw, result: CaseResult, outputs: Sequence[torch.Tensor]
    ) -> Measured:
        """What the outputs and the memory around them say."""
        changes = self._effects(reference, draw)
        digests = draw.remembered([*outputs, *(change.got for change in changes)])
        self._note_determinism(draw, digests)
        known = [one for of, was, one in self._right if of is draw and all(map(memory.same_bits, was, digests))]
        if known:
            return known[0]
        tolerance = reference.case.tolerance or self.request.tolerance
        found = draw.compare(outputs, tolerance)
        found += [compare(c.got, c.expected, len(outputs) + i, tolerance, c.name) for i, c in enumerate(changes)]
        measured = measured_from(result, found, draw.framework_error)
        if draw.in_place and self.device == "cpu" and measured.result.status is Status.PASSED:
            self._right.append((draw, digests, measured))
        if measured.result.status is Status.PASSED:
            return measured
        explained = measured.result.detail.count(": ") > 1
        hint = LATE if self._late else "" if explained else reference.rounding_hint(draw, list(outputs))
        return replace(measured, result=replace(measured.result, detail=measured.result.detail + hint))

    def _note_determinism(self, draw: Draw, remembered: Sequence[torch.Tensor]) -> None:
        """Compare the bytes of answers to the same draw: the first one of a case, or each of a large case."""
        known = next((was for of, was in self.asked if of is draw), None)
        if known is not None:
            self.deterministic = all(map(memory.same_bits, known, remembered)) and self.deterministic is not False
        elif draw.in_place or not self.asked:
            self.asked.append((draw, remembered))

    def _call(self, reference: Reference, draw: Draw, base: int, between: Draw | None) -> list[torch.Tensor]:
        """Ask for one call; the output tensors as the judge's own copies."""
        fds: list[int] = []
        self._inputs, out_region, call = self._regions.for_call(draw, base, fds, between)
        reference.state_layout.write(self._regions["state"])
        if self.device == "cuda":
            torch.cuda.synchronize()
        called = self._timed_call(reference, call, fds)
        self._late = called.late
        self.process.require_alone()
        self.warnings |= {REUSES} if called.reuses else set()
        held = self._held(draw, out_region)
        problem = check_form(draw, called.result)
        problem = problem or side_effects.check_margins(call.outs, held)
        if problem is not None:
            raise _Wrong(*problem)
        return [
            held[place["offset"] : place["offset"] + form.numel() * form.element_size()]
            .view(form.dtype)
            .reshape(form.shape)
            for place, form in zip(call.outs, draw.forms, strict=True)
        ]

    def _held(self, draw: Draw, region: memory.Region) -> torch.Tensor:
        """The answers where nobody changes them: a copy, or, where that is too large, as a stopped process left them.

        Nothing stops what runs on a GPU.
        """
        if not draw.in_place or self.device != "cpu":
            return region.bytes.clone()
        self.process.pause()
        return region.bytes

    def _timed_call(self, reference: Reference, call: Call, fds: Sequence[int]) -> Called:
        """A call on the clock of the limits; how slow an interpreter is, its first call may take longer to show."""
        allowed, hangs = max(self.run_left, 1.0), self._patience + SLOWER * reference.framework_runner.slowest
        executed = self.evidence is Evidence.EXECUTED
        allowed = min(allowed, hangs) if executed else allowed + (0.0 if self.calls else hangs)
        started = time.monotonic()
        try:
            called = self.process.ask(call, allowed, fds, building=max(self.build_left, 0.0))
        except CandidateFailed as failure:
            # An interpreter is slow: what went on steadily until time was up does not hang.
            steady = failure.status is Status.TIMEOUT and time.monotonic() - started < 3.0 * self._slowest
            if not steady or self.evidence is not Evidence.INTERPRETED:
                raise
            why = f"{self.calls} calls were interpreted in time, up to {self._slowest:.0f} s each: give smaller cases"
            raise CandidateFailed(Status.NOT_RUN, why, failure.log) from None
        self.kernels |= set(called.kernels)
        waited = time.monotonic() - started
        taken = waited - self.process.built
        # What looks like building may be calling: the quickest call is one in which nothing was built.
        self._slowest, self.quickest = max(self._slowest, waited), min(self.quickest, waited)
        self.run_left -= taken
        self.build_left -= self.process.built
        self.calls += 1
        return called

    def _effects(self, reference: Reference, draw: Draw) -> list[side_effects.Change]:
        """The inputs and buffers that the operator changes, after the call; nothing else may have changed."""
        inputs, state = self._inputs, self._regions["state"]
        assert inputs is not None, "a call notes where its inputs are"
        problem = side_effects.check_untouched(reference, draw, inputs, state)
        if problem is not None:
            raise _Wrong(*problem)
        left = side_effects.buffers_left(reference, draw, state)
        self.warnings |= {left} if left else set()
        return side_effects.changes(reference, draw, inputs, state)

    def close(self) -> None:
        """End the process, and let go of what was shared with it."""
        self.process.close()
        self._regions = Regions()


class _Wrong(Exception):
    """A call whose outputs need not be compared."""

    def __init__(self, status: Status, detail: str) -> None:
        self.status, self.detail = status, detail
        super().__init__(detail)
