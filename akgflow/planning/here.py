"""Plans and single judgements for the machine that this process runs on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from akgflow.config import (
    Loaded,
    check_cases,
    check_dtype,
    check_operator,
    find_root,
    load,
    load_workspace,
    parse_cases,
    suggest,
)
from akgflow.config.types import Operator, Scalar, Workspace
from akgflow.errors import ConfigError, PrerequisiteError
from akgflow.executors.availability import Availability
from akgflow.machine import Machine, detect
from akgflow.models.prices import price_of
from akgflow.models.sizes import max_output_tokens
from akgflow.planning.build import build_plan, reach
from akgflow.planning.types import Plan
from akgflow.verdict import JudgeRequest


def plan_here(loaded: Loaded) -> Plan:
    """The plan of a task on this machine."""
    machine = detect()
    availability = Availability(machine, loaded.workspace)
    return build_plan(
        loaded.task,
        loaded.workspace,
        machine,
        missing=availability.missing,
        at=availability.at,
        price_of=price_of,
        reply_tokens_of=max_output_tokens,
    )


def require_runnable(plan: Plan) -> None:
    """Raises `PrerequisiteError` where no job can be judged, and this machine lacks what some of them need."""
    lacking = [job for job in plan.jobs if job.reach.gaps]
    if lacking and not plan.runnable:
        raise PrerequisiteError("\n".join(f"{job.id}: {job.impossible}" for job in lacking))


def request_for(
    space: Workspace, operator: Operator, candidate: str, dsl: str, target: str, machine: Machine
) -> JudgeRequest:
    """What can be asked of the judge on this machine.

    Raises `ConfigError` where the DSL is not for that target, `PrerequisiteError` where this machine lacks something.
    """
    for kind, name, known in (("DSL", dsl, space.dsls), ("target", target, space.targets)):
        if name not in known:
            raise ConfigError(f"there is no {kind} {name!r}: {suggest(name, known)}")
    pack, where = space.dsls[dsl], space.targets[target]
    availability = Availability(machine, space)
    found = reach(pack, where, availability.missing, availability.at)
    if not found.evidence:
        what = f"{dsl} cannot be judged for {target} (platform {where.platform})"
        if found.gaps:
            why = "; ".join(f"{evidence}: {reason}" for evidence, reason in found.gaps.items())
            raise PrerequisiteError(f"{what}: {why}")
        raise ConfigError(f"{what}: it runs on {', '.join(sorted(pack.platforms))}")
    judged_as = where if found.at else replace(where, reach=None)
    return JudgeRequest(candidate, str(operator.file), operator.source, pack.toolchain, judged_as, found.evidence)


@dataclass(frozen=True)
class Question:
    """What somebody wants to know about one candidate: its text, and either an operator's file or a task.

    What is left out is as the task says, else as the judge has it. ``cases`` are texts such as ``m=64,n=32``.
    """

    candidate: str
    dsl: str
    target: str
    operator_file: Path | None = None
    task: str | None = None
    cases: Sequence[str] = ()
    dtype: str | None = None
    framework: str | None = None
    baselines: Sequence[str] = ()
    time: bool = True
    workspace: Path | None = None
    overrides: Sequence[str] = ()

    def request(self) -> JudgeRequest:
        """What to ask of the judge; raises `ConfigError` where that makes no sense here."""
        if (self.operator_file is None) == (self.task is None):
            raise ConfigError("give either an operator's file or a task")
        cases: tuple[Mapping[str, Scalar], ...] = parse_cases(self.cases)
        if self.dtype is not None:
            check_dtype(self.dtype)
        return self._of_task(self.task, cases) if self.task is not None else self._of_operator(cases)

    def _of_task(self, name: str, cases: tuple[Mapping[str, Scalar], ...]) -> JudgeRequest:
        loaded = load(name, root=self.workspace, overrides=self.overrides)
        task = loaded.task
        check_cases(task.operator, cases)
        return replace(
            self._asked(loaded.workspace, task.operator),
            cases=cases or task.cases,
            dtype=self.dtype or task.dtype,
            tolerance=task.tolerance,
            framework=self.framework or task.framework,
            profile=task.profile,
            baselines=tuple(dict.fromkeys(self.baselines)) or task.baselines,
        )

    def _of_operator(self, cases: tuple[Mapping[str, Scalar], ...]) -> JudgeRequest:
        assert self.operator_file is not None, "one of the two was given"
        space = load_workspace(self.workspace or find_root(), overrides=self.overrides)
        return replace(
            self._asked(space, check_operator(self.operator_file, cases)),
            cases=cases,
            dtype=self.dtype,
            framework=self.framework or "forbid",
            baselines=tuple(dict.fromkeys(self.baselines)) or ("eager",),
        )

    def _asked(self, space: Workspace, operator: Operator) -> JudgeRequest:
        request = request_for(space, operator, self.candidate, self.dsl, self.target, detect())
        return replace(request, time=self.time)
