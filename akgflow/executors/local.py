"""Judging on this machine: long-lived judge processes, as many as its cores carry, each with one device or none."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from akgflow.errors import MachineExhausted
from akgflow.executors.base import Using
from akgflow.executors.process import JudgeLost, JudgeProcess
from akgflow.executors.slots import Slot, Slots
from akgflow.features import FeatureRequest, OperatorFeatures
from akgflow.machine import Machine, visible
from akgflow.ranking import Ranking, RankRequest
from akgflow.reproduction import Reproduced, ReproduceRequest
from akgflow.terms import Evidence, Status
from akgflow.verdict import Environment, JudgeRequest, Verdict
from akgflow.verification.judge.resources.machine_pressure import short_of
from akgflow.verification.sandbox.untrusted_files import remove

T = TypeVar("T")
MARGIN_SECONDS = 900.0
"""What a judge may take beyond the candidate's own limits: for its oracles, its timings and its start."""
FEATURE_SECONDS = 120.0
"""For one call of an operator without values, and for a judge to start."""


class LocalExecutor:
    """Judges on this machine; an `akgflow.executors.base.Executor`.

    ``scratch_root`` is a folder for the judges' logs and the candidates' working folders, which are removed after each
    judgement. Correctness is judged by up to ``judges`` at once, by default half as many as there are cores, spread
    over the devices; `Slots` says which of them exclude each other. A judge sees the one device that it judges on, or
    none. ``using`` is entered for each judgement once it has its slot and its judge.
    """

    def __init__(
        self,
        machine: Machine,
        scratch_root: Path,
        judges: int | None = None,
        using: Using = contextlib.nullcontext,
    ) -> None:
        self.machine = machine
        self.root = scratch_root
        self._most = judges or max(1, machine.cores // 2)
        self._using = using
        self._turns = asyncio.Semaphore(self._most)
        self._slots: Slots[JudgeProcess] = Slots(machine)
        self._all: set[JudgeProcess] = set()

    async def judge(self, request: JudgeRequest) -> Verdict:
        """The verdict. Where its judge is lost, another judges the request once more.

        Raises `MachineExhausted` where the machine is short of something, or judges are killed.
        """
        async with self._turns:
            slot = self._slots.choose(request.target, executes=Evidence.EXECUTED in request.evidence)
            with slot.used():
                try:
                    return await self._twice(lambda: self._judged(request, slot))
                except JudgeLost as lost:
                    return not_run(request, str(lost), self.machine.cpu)

    async def rank(self, asked: RankRequest) -> Ranking:
        """The ranking, or the reason why there is none.

        Raises `MachineExhausted` as `judge` does.
        """
        async with self._turns:
            slot = self._slots.choose(asked.request.target, executes=True)
            with slot.used():
                try:
                    return await self._twice(lambda: self._ranked(asked, slot))
                except JudgeLost as lost:
                    return Ranking(reason=str(lost))

    async def _twice(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """The result of ``attempt``, tried twice where its judge is lost; raises `JudgeLost` for the second loss."""
        try:
            return await attempt()
        except JudgeLost:
            try:
                return await attempt()
            except JudgeLost as lost:
                short = short_of(self.root)
                if short or lost.killed:
                    raise MachineExhausted(short or f"{lost} (twice)") from lost
                raise

    async def features(self, request: FeatureRequest) -> OperatorFeatures:
        """An operator's features, from one of the judges; takes milliseconds where one is idle."""

        async def attempt() -> OperatorFeatures:
            async with asyncio.timeout(FEATURE_SECONDS), self._judge(self._slots.processor) as judge:
                return await judge.features(request)

        async with self._turns:
            try:
                return await self._twice(attempt)
            except TimeoutError:
                return OperatorFeatures(unknown=f"one call did not end within {FEATURE_SECONDS:.0f} s")
            except JudgeLost as lost:
                return OperatorFeatures(unknown=str(lost))

    async def reproduce(self, asked: ReproduceRequest) -> Reproduced:
        """A candidate's wrong answer at the smallest shape that shows it; a reason where none is seen.

        Raises `MachineExhausted` as `judge` does.
        """
        slot = self._slots.choose(asked.request.target, executes=Evidence.EXECUTED in asked.request.evidence)
        limits = asked.request.limits
        most = asked.seconds + limits.build_seconds + limits.run_seconds + MARGIN_SECONDS
        async with self._turns:
            with slot.used():
                try:
                    async with self._judge(slot) as judge, self._scratch() as scratch, slot.timing_lock.shared():
                        return await asyncio.wait_for(judge.reproduce(asked, scratch), most)
                except TimeoutError:
                    return Reproduced(None, reason=f"the judge did not answer within {most:.0f} s")
                except JudgeLost as lost:
                    return Reproduced(None, reason=str(lost))

    async def _judged(self, request: JudgeRequest, slot: Slot[JudgeProcess]) -> Verdict:
        most = most_seconds(request)
        verdict, seconds = await self._held(slot, most, lambda judge, at: judge.judge(request, at, slot.timing_lock))
        return replace(verdict, seconds=seconds)

    async def _ranked(self, asked: RankRequest, slot: Slot[JudgeProcess]) -> Ranking:
        most = most_seconds(asked)
        ranking, seconds = await self._held(slot, most, lambda judge, at: judge.rank(asked, at, slot.timing_lock))
        return replace(ranking, seconds=seconds)

    async def _held(
        self, slot: Slot[JudgeProcess], most: float, ask: Callable[[JudgeProcess, Path], Awaitable[T]]
    ) -> tuple[T, float]:
        """A judge's answer, and the seconds for which it held its slot; raises `JudgeLost` after ``most``."""
        async with contextlib.AsyncExitStack() as stack:
            judge = await stack.enter_async_context(self._judge(slot))
            scratch = await stack.enter_async_context(self._scratch())
            if slot.timing_lock is not self._slots.timing_lock:
                await stack.enter_async_context(self._slots.timing_lock.shared())
            try:
                async with self._using():
                    started = time.monotonic()
                    answer = await asyncio.wait_for(ask(judge, scratch), most)
                    return answer, time.monotonic() - started
            except TimeoutError:
                raise JudgeLost(f"the judge did not answer within {most:.0f} s") from None

    @contextlib.asynccontextmanager
    async def _judge(self, slot: Slot[JudgeProcess]) -> AsyncIterator[JudgeProcess]:
        """An idle judge or a new one; one that is interrupted is ended, since it may still be running the candidate."""
        self.root.mkdir(parents=True, exist_ok=True)
        judge = slot.idle.pop() if slot.idle else None
        if judge is None or not judge.alive:
            await self._make_room()
            judge = await JudgeProcess.start(slot.machine, self.root, visible(slot.device))
            self._all.add(judge)
        try:
            yield judge
        except BaseException:
            self._all.discard(judge)
            await asyncio.shield(judge.end())
            raise
        slot.idle.append(judge)

    async def _make_room(self) -> None:
        """End an idle judge of another slot where there are as many judges as may run at once."""
        self._all = {judge for judge in self._all if judge.alive}
        idle = next((slot.idle for slot in self._slots.all if slot.idle), None)
        if idle is not None and len(self._all) >= self._most:
            judge = idle.pop(0)
            self._all.discard(judge)
            await judge.end()

    @contextlib.asynccontextmanager
    async def _scratch(self) -> AsyncIterator[Path]:
        folder = Path(tempfile.mkdtemp(prefix="judgement-", dir=self.root)).absolute()
        try:
            yield folder
        finally:
            remove(folder)

    async def close(self) -> None:
        """End every judge, and with it every process that it started."""
        judges, self._all = tuple(self._all), set()
        for slot in self._slots.all:
            slot.idle = []
        await asyncio.gather(*(judge.end() for judge in judges))


def most_seconds(asked: JudgeRequest | RankRequest) -> float:
    """Wall seconds that a judge may take: the candidates' own limits, and a margin for its own work."""
    if isinstance(asked, RankRequest):
        limits = asked.request.limits
        return (limits.build_seconds + limits.run_seconds) * (len(asked.sources) + 1) + asked.seconds + MARGIN_SECONDS
    limits = asked.limits
    return (limits.build_seconds + limits.run_seconds) * (len(asked.evidence) + 1) + MARGIN_SECONDS


def not_run(request: JudgeRequest, reason: str, hardware: str) -> Verdict:
    """The verdict of a request that could not be judged."""
    return Verdict(
        status=Status.NOT_RUN,
        message=reason,
        target=request.target.name,
        evidence=(),
        environment=Environment(hardware),
        timestamp=datetime.now(UTC).isoformat(timespec="seconds"),
        absent={evidence.value: reason for evidence in request.evidence},
        tolerance=request.tolerance,
        precision=request.precision,
    )
