"""A portability matrix that is judged now, on what is here."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from akgflow.config.types import Task, Workspace
from akgflow.executors.availability import Availability
from akgflow.executors.base import Executor
from akgflow.planning import judge_request, reach, why_nothing, with_gaps
from akgflow.runs.matrix import OWN, Cell, Matrix, filled


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
        asked = judge_request(self.task, source, pack.toolchain, target, found)
        verdict = await self.executor.judge(replace(asked, dtype=dtype, time=self.wanted.time))
        return filled(empty, with_gaps(verdict, found), self.task.cases)
