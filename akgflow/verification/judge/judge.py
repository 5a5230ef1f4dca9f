"""The judge: holds the operator, the oracle, the seeds and the clock, and writes the verdict.

It never imports a candidate. For each kind of evidence that a request names there is one candidate process
(`akgflow.verification.judge.evaluation`); what that process says is a hint, what shared memory holds is the evidence.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

from akgflow import toolchains
from akgflow.config.types import Scalar
from akgflow.machine import Machine
from akgflow.verdict import JudgeRequest, Verdict
from akgflow.verification.judge.build_cache import BuildCache
from akgflow.verification.judge.candidate_process import ForkServerClient
from akgflow.verification.judge.judgement import Grant, Judgement, Tools
from akgflow.verification.judge.resources import memory_plan
from akgflow.verification.judge.resources.memory_plan import Plan
from akgflow.verification.reference.reference import Reference
from akgflow.verification.reference.sliced import SlicedReference

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
        return Judgement(self._tools, request, scratch, grant).run()

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
            if reference.seconds < REUSED_SECONDS or uses + 1 >= MOST_USES:
                del self._references[key]
            else:
                self._references[key] = (reference, uses + 1)
        while len(self._references) > MOST_REFERENCES:
            self._references.popitem(last=False)
        if large:
            memory_plan.give_back()


def _reference(request: JudgeRequest, keys: Mapping[str, Scalar], device: str, plan: Plan) -> Reference:
    about = (request.operator, request.operator_file, keys, request.dtype, device)
    if plan.slicing is None:
        return Reference(*about, request.contract)
    return SlicedReference(*about, plan.slicing, request.contract)
