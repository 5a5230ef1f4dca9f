"""The self-test before a run spends a token: tries the judge on this machine with kernels of known verdict (canaries).

Its result is cached in the user's cache folder under a digest of everything that may change it: the machine, the
versions, the verification package's own text, the operator and its case, and where candidates run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path

from akgflow import toolchains
from akgflow.base.atomic import write_json
from akgflow.base.serial import from_data, to_data
from akgflow.config.types import Operator, Target, Task, Workspace
from akgflow.errors import ConfigError, UntrustedJudge
from akgflow.executors.base import Executor
from akgflow.machine import Machine
from akgflow.operators.shapes.guarantee import Guarantee
from akgflow.planning import Plan, Reach, judge_request
from akgflow.runs.records import Preflight
from akgflow.terms import Evidence, Status
from akgflow.toolchains import FRAMEWORK, cache_dir
from akgflow.toolchains.common.installed import package_version
from akgflow.verdict import FRAMEWORK_ALLOWED, LOOSE_BOUND, JudgeRequest, Verdict
from akgflow.verification.selftest import STAND_IN, Canary, canaries_for, self_contained

SLOW_SECONDS = 4.0
"""Where judging the operator takes longer, no other canary is made from it."""
CPU = Target("cpu", "cpu", "native")


def numeric_targets(plan: Plan, workspace: Workspace) -> list[Target]:
    """The targets on which candidates of a plan give numbers: its devices, and the processors that interpret."""
    found: dict[tuple[str, str, str], Target] = {}
    for job in plan.jobs:
        target, evidence, at = workspace.targets[job.target], job.reach.evidence, job.reach.at
        cpu = replace(CPU, name=f"cpu beside {target.name}", reach=target.reach) if at else CPU
        if job.impossible or not {Evidence.EXECUTED, Evidence.INTERPRETED} & set(evidence):
            continue
        if Evidence.EXECUTED in evidence and (at or not target.on_host):
            found.setdefault((target.platform, target.device, at), target if at else replace(target, reach=None))
        else:
            found.setdefault((CPU.platform, CPU.device, at), cpu)
    return list(found.values())


async def preflight(executor: Executor, machine: Machine, target: Target, task: Task | None = None) -> Preflight:
    """Try the judge for one target, or read the cached results; raises `UntrustedJudge` at the first wrong verdict.

    All canaries are made from a small operator; with a task those whose verdict hangs on the operator are also made
    from its own, at its first case. Results from a cluster are not cached: its nodes change. Raises `ConfigError` where
    the operator itself cannot be run.
    """
    of_judge = await _kept(_SelfTest(executor, target), machine)
    if task is None:
        return of_judge
    if not self_contained(task.operator.whole, task.operator.file):
        return replace(of_judge, notes=("none of them from the operator, which needs the files beside it",))
    return of_judge.with_more(await _kept(_SelfTest(executor, target, task), machine))


async def _kept(test: _SelfTest, machine: Machine) -> Preflight:
    """A self-test's result, from the cache where it is there."""
    path = cache_dir("canaries") / f"{test.digest(machine)}.json"
    if test.target.reach is None and path.exists():
        kept: Preflight = from_data(json.loads(path.read_text(encoding="utf-8")), Preflight)
        return replace(kept, seconds=0.0, cached=True)
    found = await test.run()
    with suppress(OSError):
        # Where the cache cannot be written, the self-test runs again the next time.
        write_json(path, found)
    return found


class _SelfTest:
    """The self-test for one target, with canaries made from one operator: a task's, or a small one."""

    def __init__(self, executor: Executor, target: Target, task: Task | None = None) -> None:
        self.executor, self.target, self.task = executor, target, task
        self.notes: list[str] = []

    def digest(self, machine: Machine) -> str:
        """A digest of everything that the result may depend on."""
        task = self.task
        asked = (task.operator.whole, _case(task), task.dtype, task.tolerance, task.precision) if task else (STAND_IN,)
        here = (to_data(machine), to_data(self.target), os.uname().release, os.getuid(), _own_text(), _versions())
        return sha256(repr((asked, here)).encode()).hexdigest()[:24]

    async def run(self) -> Preflight:
        """Judge the canaries one by one: a second judge takes longer to start than all judgements together."""
        first, *others = self._canaries()
        seconds = await self._try(first)
        if self.task is not None and seconds > SLOW_SECONDS:
            self.notes.append("one of them from the operator, whose judgement takes long")
            others = []
        for canary in others:
            seconds += await self._try(canary)
        return Preflight(self.target.name, 1 + len(others), round(seconds, 2), tuple(self.notes))

    def _canaries(self) -> Sequence[Canary]:
        task = self.task
        if task is None:
            return canaries_for(STAND_IN, {}, 1.0)
        own, *others = canaries_for(task.operator.whole, _case(task), task.tolerance)
        return [own, *(canary for canary in others if canary.numeric)]

    async def _try(self, canary: Canary) -> float:
        """Judge one canary; the seconds that it took."""
        verdict = await self.executor.judge(self._request(canary))
        if verdict.unfit:
            raise ConfigError(f"the operator cannot be judged: {verdict.message}")
        if not canary.accepts(verdict.status, any(map(_tells_why, verdict.warnings))):
            raise UntrustedJudge(self._complaint(canary, verdict))
        if canary.numeric and verdict.status is Status.PASSED:
            self.notes.append(f"the task is weak: {canary.name} passes")
        return verdict.seconds

    def _complaint(self, canary: Canary, verdict: Verdict) -> str:
        wanted = f"is {canary.status}" if canary.status else "is refused"
        operator = self.task.operator.file.name if self.task else "a small matrix product"
        return (
            f"the judge cannot be believed on this machine ({self.target.name}): canary {canary.name!r}, made from "
            f"{operator}, must be such that it {wanted}, and got {verdict.status}: {verdict.message}"
        )

    def _request(self, canary: Canary) -> JudgeRequest:
        about = self.task or Operator(Path("operator.py"), STAND_IN)
        found = Reach((Evidence.EXECUTED,), {}, str(self.target.reach or ""))
        request = judge_request(about, canary.candidate, FRAMEWORK, self.target, found)
        cases = (_case(self.task),) if self.task and _case(self.task) else ()
        stated = replace(request, cases=cases, secret_cases=(), shapes=Guarantee(fixed=True), layouts=None)
        return replace(stated, framework=canary.framework, time=False, profile=False)


def _tells_why(warning: str) -> bool:
    """True for warnings that may explain why a numerically wrong canary passes: no bound is that loose."""
    return warning != FRAMEWORK_ALLOWED and LOOSE_BOUND not in warning


def _case(task: Task) -> dict[str, bool | int | float | str]:
    """The first case: of the task, where all are secret one of them, or of the operator's own list."""
    for case in (*task.cases, *task.secret_cases):
        return dict(case)
    return {"dyn": 0} if "def get_inputs_dyn_list" in task.operator.source else {}


@cache
def _own_text() -> str:
    """A digest of the code that judges: verification, executors and toolchains."""
    root = Path(toolchains.__file__).parent.parent
    files = [
        file for part in ("verification", "executors", "toolchains") for file in sorted((root / part).rglob("*.py"))
    ]
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _versions() -> tuple[str, ...]:
    return tuple(map(package_version, ("akgflow", "torch", "numpy", "triton")))
