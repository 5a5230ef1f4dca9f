"""A portability matrix that is judged now, on what is here."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from akgflow.config.types import Task, Workspace
from akgflow.executors.availability import Availability
from akgflow.executors.base import Executor
from akgflow.planning import reach, why_nothing
from akgflow.runs.matrix import OWN, Cell, Matrix, filled
from akgflow.verdict import JudgeRequest


@dataclass(frozen=True)
class Wanted:
    """What is to be judged: the kernels by (DSL, target), and the axes. An empty ``dtypes`` is the task's own."""

    kernels: Mapping[tuple[str, str], str]
    dsls: Sequence[str]
    targets: Sequence[str]
    dtypes: Sequence[str | None]
    time: bool = True


@dataclass(frozen=True)
class Judging:
    """Judges what is wanted, side by side as far as the executor has room."""

    task: Task
    space: Workspace
    availability: Availability
    executor: Executor
    wanted: Wanted

    async def matrix(self) -> Matrix:
        """All cells."""
        wanted = self.wanted
        keys = [(dsl, target, dtype) for dsl in wanted.dsls for target in wanted.targets for dtype in wanted.dtypes]
        cells = await asyncio.gather(*(self._cell(*key) for key in keys))
        return Matrix(self.task.name, "judged now", tuple(cells))

    async def _cell(self, dsl: str, to: str, dtype: str | None) -> Cell:
        pack, target = self.space.dsls[dsl], self.space.targets[to]
        found = reach(pack, target, self.availability.missing, self.availability.at)
        empty = Cell(dsl, to, dtype or OWN)
        nothing = why_nothing(pack, target, found)
        if nothing:
            return replace(empty, reason=nothing, possible=False)
        source = self.wanted.kernels.get((dsl, to))
        if source is None:
            return replace(empty, reason="there is no kernel for it")
        task = self.task
        request = JudgeRequest(
            candidate=source,
            operator_file=str(task.operator.file),
            operator=task.operator.source,
            toolchain=pack.toolchain,
            target=target if found.at else replace(target, reach=None),
            evidence=found.evidence,
            cases=task.cases,
            dtype=dtype,
            tolerance=task.tolerance,
            framework=task.framework,
            profile=task.profile,
            baselines=task.baselines,
            time=self.wanted.time,
        )
        verdict = await self.executor.judge(request)
        gaps = {str(evidence): reason for evidence, reason in found.gaps.items()}
        return filled(empty, replace(verdict, absent={**gaps, **verdict.absent}), task.cases)
