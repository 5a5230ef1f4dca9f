"""The plan of a suite: those of its problems, the worst case of all, and what earlier runs make likely."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from akgflow.base.serial import to_json
from akgflow.config import Suite, Unfit
from akgflow.config.types import Budget, Task
from akgflow.planning import Ceiling, Plan, identity
from akgflow.runs.damage import DamagedRun
from akgflow.runs.reader import plan_of, result_of, runs_in
from akgflow.runs.result import RunResult
from akgflow.suites.folder import Listed


@dataclass(frozen=True)
class Likely:
    """What plans probably take: the mean of earlier finished runs, for as many jobs as they have."""

    runs: int
    """Earlier runs with this workflow and these models."""
    jobs: int
    """Of those runs."""
    calls: float
    tokens: float
    usd: float
    seconds: float
    """Of all runs one after the other."""
    device_seconds: float


@dataclass(frozen=True)
class SuitePlan:
    """A suite made concrete for one machine."""

    suite: str
    plans: tuple[Plan, ...]
    """By problem, in the order of ``listed``."""
    listed: tuple[Listed, ...]
    budget: Budget
    parallel: int
    ceiling: Ceiling
    likely: Likely | None
    """None where there is no earlier run."""
    baselines: tuple[str, ...]
    """What kernels are timed against."""
    judging: str
    """sha256 of what the tasks say about how kernels are judged."""
    unfit: tuple[Unfit, ...] = ()
    """Problems that cannot be judged; nothing of the plan is theirs."""

    @property
    def identity(self) -> str:
        """sha256 of what the suite does, its budget aside."""
        names = [f"{one.name} {one.level} {one.weight}" for one in self.listed]
        text = "\n".join([self.suite, self.judging, *names, *map(identity, self.plans)])
        return hashlib.sha256(text.encode()).hexdigest()


def plan_suite(suite: Suite, plan_of_task: Callable[[Task], Plan], runs: Path) -> SuitePlan:
    """The plan of ``suite``; earlier runs are looked for in the folder ``runs``."""
    plans = tuple(plan_of_task(member.task) for member in suite.members)
    listed = tuple(
        Listed(member.task.name, member.level, member.task.operator.kind or "", member.weight)
        for member in suite.members
    )
    return SuitePlan(
        suite=suite.name,
        plans=plans,
        listed=listed,
        budget=suite.budget,
        parallel=suite.parallel,
        ceiling=_sum([plan.ceiling for plan in plans]),
        likely=likely_of(plans, runs),
        baselines=suite.members[0].task.baselines,
        judging=_judging(suite),
        unfit=suite.unfit,
    )


_JUDGED_BY = ("tolerance", "limits", "memory", "framework", "baselines", "layouts", "shapes", "profile", "precision")


def _judging(suite: Suite) -> str:
    said = [[getattr(member.task, name) for name in _JUDGED_BY] for member in suite.members]
    return hashlib.sha256(to_json(said).encode()).hexdigest()


def _sum(ceilings: Sequence[Ceiling]) -> Ceiling:
    priced = [one.usd for one in ceilings if one.usd is not None]
    return Ceiling(
        sum(one.calls for one in ceilings),
        sum(one.verdicts for one in ceilings),
        sum(one.prompt_tokens for one in ceilings),
        sum(one.reply_tokens for one in ceilings),
        sum(priced) if len(priced) == len(ceilings) else None,
        tuple(sorted({name for one in ceilings for name in one.unpriced})),
    )


def likely_of(plans: Sequence[Plan], runs: Path) -> Likely | None:
    """What these plans probably take, by the finished runs in a folder that had their workflow and models."""
    wanted = set(map(_kind, plans))
    found = list(_earlier(runs, lambda plan: _kind(plan) in wanted and bool(plan.runnable)))
    jobs = sum(len(plan.runnable) for plan, _ in found)
    if not jobs:
        return None
    scale = sum(len(plan.runnable) for plan in plans) / jobs
    spent = [result.spent for _, result in found]
    return Likely(
        runs=len(found),
        jobs=jobs,
        calls=scale * sum(one.calls for one in spent),
        tokens=scale * sum(one.tokens for one in spent),
        usd=scale * sum(one.usd for one in spent),
        seconds=scale * sum(result.seconds for _, result in found),
        device_seconds=scale * sum(one.device_seconds for one in spent),
    )


def _kind(plan: Plan) -> tuple[object, ...]:
    """What runs have in common that take alike."""
    return (plan.workflow, *sorted(plan.models.items()))


def _earlier(runs: Path, wanted: Callable[[Plan], bool]) -> Iterator[tuple[Plan, RunResult]]:
    """Finished runs, those of suites too; what is damaged says nothing. Only the results of wanted plans are read."""
    for folder in runs_in(runs).values():
        with suppress(DamagedRun):
            plan = plan_of(folder)
            result = result_of(folder) if plan is not None and wanted(plan) else None
            if plan is not None and result is not None:
                yield plan, result
