"""The judge: holds the operator, the oracle, the seeds and the clock, and writes the verdict.

It never imports a candidate. For each kind of evidence that a request names there is one candidate process
(`akgflow.verification.judge.evaluation`); what that process says is a hint, what shared memory holds is the evidence.
"""

from __future__ import annotations

import hashlib
import shutil
from collections import OrderedDict
from collections.abc import Mapping, Set
from dataclasses import replace
from itertools import count
from pathlib import Path

from akgflow import toolchains
from akgflow.config.types import Scalar
from akgflow.errors import PrerequisiteError
from akgflow.machine import Machine
from akgflow.ranking import Ranking, RankRequest
from akgflow.reproduction import Reproduced, ReproduceRequest
from akgflow.terms import Evidence
from akgflow.verdict import JudgeRequest, Verdict
from akgflow.verification.judge.build_cache import BuildCache
from akgflow.verification.judge.candidate_process import BUILDS, ForkServerClient
from akgflow.verification.judge.evaluation import Trial
from akgflow.verification.judge.failures import CandidateFailed
from akgflow.verification.judge.findings import NUMERIC
from akgflow.verification.judge.judgement import Grant, Judgement, Tools
from akgflow.verification.judge.resources import memory_plan
from akgflow.verification.judge.resources.memory_plan import Plan
from akgflow.verification.judge.second_look.reproduction import Reproduction
from akgflow.verification.judge.timing import CheckedTrial, Entrant, Ranker, Start
from akgflow.verification.reference.operator import OperatorError
from akgflow.verification.reference.reference import Reference
from akgflow.verification.reference.sliced import SlicedReference
from akgflow.verification.sandbox.untrusted_files import tidy

REUSED_SECONDS = 1.0
"""Oracles that took longer than this serve several candidates; the candidates of one judge cannot talk."""
MOST_USES = 8
MOST_REFERENCES = 4


class Judge:
    """Serves one judgement at a time; candidate and baseline each get all of the machine's cores."""

    def __init__(self, machine: Machine, server: ForkServerClient) -> None:
        self._tools = Tools(machine, server, BuildCache(toolchains.cache_dir("candidates")), self._reference)
        self._references: OrderedDict[str, tuple[Reference, int]] = OrderedDict()

    def judge(self, request: JudgeRequest, scratch: Path, grant: Grant) -> Verdict:
        """The verdict; whatever the candidate does is in it, never an exception.

        Raises `MachineExhausted` where the machine is short of something, or its processes were ended twice.
        """
        verdict = Judgement(self._tools, request, scratch, grant).run()
        return without_seeds(
            verdict, {one.seeds.secret for one, uses in self._references.values() if _stays(one, uses)}
        )

    def rank(self, asked: RankRequest, scratch: Path, grant: Grant) -> Ranking:
        """Which of many candidates are worth a judgement; whatever they do is in it, never an exception.

        Raises `MachineExhausted` as `judge` does.
        """
        request, tools = asked.request, self._tools
        tools.server.pressure.begin(scratch)
        try:
            absent = toolchains.missing(request.toolchain, Evidence.EXECUTED, request.target, tools.machine)
            if absent is not None:
                return Ranking(reason=absent)
            with memory_plan.bounded(request.target.on_host, request.limits.judgement_bytes):
                return self._ranker(asked, Judgement(tools, request, scratch, grant)).run()
        except (CandidateFailed, OperatorError, PrerequisiteError) as failure:
            return Ranking(reason=str(failure))
        except Exception as error:
            if words := memory_plan.no_room(error):
                return Ranking(reason=words)
            raise

    def _ranker(self, asked: RankRequest, judgement: Judgement) -> Ranker:
        tools, cores, scratch = self._tools, self._tools.machine.cores, judgement.scratch
        planned = memory_plan.planned(judgement.request, judgement.cases, Evidence.EXECUTED, cores)
        judgement.request, judgement.plans = planned
        request = judgement.request
        device = "cpu" if request.target.on_host else "cuda"
        told = [keys for keys in judgement.cases if not judgement.is_secret(keys)] or list(judgement.cases[:1])

        def entrant(number: int, module: str) -> Entrant:
            folder = scratch / str(number)
            folder.mkdir(parents=True)
            tools.build_cache.fetch(judgement.builds_key(Evidence.EXECUTED, module), folder / BUILDS)

            def begin() -> CheckedTrial:
                return CheckedTrial(tools.server, request, Evidence.EXECUTED, folder, cores)

            def ready(trial: Trial) -> None:
                trial.open()
                trial.load(module)

            return Entrant(Start(begin, ready), len(told))

        return Ranker(
            [judgement.reference(keys, device) for keys in told],
            [entrant(number, one) for number, one in enumerate((judgement.module, *asked.sources))],
            judgement.grant,
            cores=cores,
            most=request.limits.judgement_bytes,
            seconds=asked.seconds,
        )

    def reproduce(self, asked: ReproduceRequest, scratch: Path) -> Reproduced:
        """A wrong answer of the candidate at the smallest shape; the reason where there is none.

        Raises `MachineExhausted` where the machine is short of something.
        """
        # What the framework does in the candidate's process is another matter than what comes out of it.
        request = replace(asked.request, framework="allow")
        judgement, tools = Judgement(self._tools, request, scratch, lambda: None), self._tools
        target, machine = request.target, tools.machine
        seen = [e for e in NUMERIC[::-1] if e in request.evidence]
        here = [e for e in seen if toolchains.missing(request.toolchain, e, target, machine) is None]
        if not here:
            return Reproduced(None, reason=f"no kernel of {request.toolchain} can be run for {target.name} here")
        number, first = count(), scratch / "0"

        def start() -> Trial:
            # A folder for each process: one that remembers answers in files must begin without them.
            folder = scratch / str(next(number))
            if folder != first:
                tidy(first)
                shutil.copytree(first / BUILDS, folder / BUILDS, symlinks=True)
            trial = Trial(tools.server, request, here[0], folder, machine.cores)
            try:
                trial.open()
                trial.load(judgement.module)
            except BaseException:
                trial.close()
                raise
            return trial

        first.mkdir(parents=True)
        tools.build_cache.fetch(judgement.builds_key(here[0]), first / BUILDS)
        try:
            with memory_plan.bounded(target.on_host, request.limits.judgement_bytes):
                return Reproduction(replace(asked, request=request), here[0], start).found()
        except (CandidateFailed, OperatorError) as failure:
            return Reproduced(None, reason=str(failure))

    def _reference(self, request: JudgeRequest, keys: Mapping[str, Scalar], device: str, plan: Plan) -> Reference:
        """The reference of a case, shared within a judgement, and beyond it where its oracle is expensive."""
        device = "cpu" if device == "meta" else device
        text = repr(
            (
                request.operator,
                request.operator_file,
                sorted(keys.items()),
                request.dtype,
                request.contract,
                device,
                plan.slicing is not None,
            )
        )
        key = hashlib.sha256(text.encode()).hexdigest()
        found = self._references.get(key)
        if found is None:
            found = (_reference(request, keys, device, plan), 0)
            found[0].allowed, found[0].thrifty = plan.seconds, plan.thrifty
            self._references[key] = found
        self._references.move_to_end(key)
        return found[0]

    def forget(self) -> None:
        """After a judgement: drop the references that are cheap, worn, or too many."""
        large = any(reference.large for reference, _ in self._references.values())
        for key, (reference, uses) in tuple(self._references.items()):
            if _stays(reference, uses):
                self._references[key] = (reference, uses + 1)
            else:
                del self._references[key]
        while len(self._references) > MOST_REFERENCES:
            self._references.popitem(last=False)
        if large:
            memory_plan.give_back()


def _stays(reference: Reference, uses: int) -> bool:
    """Whether the next judgement is asked the same, after so many others."""
    return reference.seconds >= REUSED_SECONDS and uses + 1 < MOST_USES


def without_seeds(verdict: Verdict, secret: Set[str]) -> Verdict:
    """The verdict without the seeds that are still ``secret``."""
    found = verdict.correctness
    if found is None or not secret:
        return verdict
    cases = tuple(replace(one, seed="") if one.seed in secret else one for one in found.cases)
    return replace(verdict, correctness=replace(found, cases=cases))


def _reference(request: JudgeRequest, keys: Mapping[str, Scalar], device: str, plan: Plan) -> Reference:
    about = (request.operator, request.operator_file, keys, request.dtype, device)
    if plan.slicing is None:
        return Reference(*about, request.contract)
    return SlicedReference(*about, plan.slicing, request.contract)
