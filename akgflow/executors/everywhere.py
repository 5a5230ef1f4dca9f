"""The executor of a run: each request is judged where its target is."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from akgflow.executors.base import Using
from akgflow.executors.local import LocalExecutor
from akgflow.machine import Machine
from akgflow.verdict import FeatureRequest, JudgeRequest, OperatorFeatures, Verdict

if TYPE_CHECKING:
    from akgflow.executors.ray.executor import RayExecutor


class Everywhere:
    """This machine, and the cluster of targets that have a ``reach``; an `akgflow.executors.base.Executor`.

    ``using`` is entered for each judgement once it has its place; ``notify`` hears of judges that were lost.
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
        """The verdict, from wherever the request's target is."""
        if request.target.reach is None:
            return await self.local.judge(request)
        if self._ray is None:
            from akgflow.executors.ray.executor import RayExecutor

            self._ray = RayExecutor(self._using, self._notify)
        return await self._ray.judge(request)

    async def features(self, request: FeatureRequest) -> OperatorFeatures:
        """What an operator does; no device is needed for that."""
        return await self.local.features(request)

    async def close(self) -> None:
        """End every process, here and elsewhere."""
        if self._ray is not None:
            await self._ray.close()
        await self.local.close()
