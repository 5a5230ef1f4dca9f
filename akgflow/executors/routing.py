"""The executor of a run: routes each request to this machine or to the cluster of its target."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from akgflow.executors.base import Using
from akgflow.executors.local import LocalExecutor
from akgflow.features import FeatureRequest, OperatorFeatures
from akgflow.machine import Machine
from akgflow.ranking import Ranking, RankRequest
from akgflow.reproduction import Reproduced, ReproduceRequest
from akgflow.verdict import JudgeRequest, Verdict

if TYPE_CHECKING:
    from akgflow.executors.ray.executor import RayExecutor


class RoutingExecutor:
    """Judges on this machine, and on a cluster for targets with a ``reach``; an `akgflow.executors.base.Executor`.

    ``using`` is entered for each judgement once it has its slot; ``notify`` receives a sentence for each judge that was
    lost.
    """

    def __init__(
        self,
        machine: Machine,
        scratch_root: Path,
        using: Using = contextlib.nullcontext,
        notify: Callable[[str], None] = lambda text: None,  # noqa: ARG005
    ) -> None:
        self._using, self._notify = using, notify
        self.local = LocalExecutor(machine, scratch_root, using=using)
        self._ray: RayExecutor | None = None

    async def judge(self, request: JudgeRequest) -> Verdict:
        """The verdict, judged where the request's target is."""
        return await self._at(request).judge(request)

    async def rank(self, asked: RankRequest) -> Ranking:
        """The ranking, made where the request's target is."""
        return await self._at(asked.request).rank(asked)

    def _at(self, request: JudgeRequest) -> LocalExecutor | RayExecutor:
        if request.target.reach is None:
            return self.local
        if self._ray is None:
            from akgflow.executors.ray.executor import RayExecutor

            self._ray = RayExecutor(self._using, self._notify)
        return self._ray

    async def reproduce(self, asked: ReproduceRequest) -> Reproduced:
        """A failure shown again, on this machine."""
        return await self.local.reproduce(asked)

    async def features(self, request: FeatureRequest) -> OperatorFeatures:
        """An operator's features, for which no device is needed."""
        return await self.local.features(request)

    async def close(self) -> None:
        """End every process, on this machine and on the cluster."""
        if self._ray is not None:
            await self._ray.close()
        await self.local.close()
