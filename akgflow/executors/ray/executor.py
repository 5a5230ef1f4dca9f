"""The executor of targets that a Ray cluster has."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

import ray
from ray.exceptions import RayError, RayTaskError

from akgflow.base.serial import from_data, of_others, to_data
from akgflow.config.types import RayReach, Target
from akgflow.errors import MachineExhausted
from akgflow.executors.base import Using
from akgflow.executors.local import MARGIN_SECONDS, most_seconds, not_run
from akgflow.executors.ray.actor_pool import ActorPool, JudgeActor
from akgflow.executors.ray.cluster import NoCapacity, connect
from akgflow.ranking import Ranking, RankRequest
from akgflow.verdict import JudgeRequest, Verdict

T = TypeVar("T")
MOST_ATTEMPTS = 3
"""A candidate whose judge was lost with its worker or node is judged again elsewhere, this often in all."""


class RayExecutor:
    """Judges on the nodes of one cluster: whole devices, one judgement on each at a time.

    Ray itself repeats nothing: each request waits for its own attempt, and asks for another only when that one is lost.
    So a request has one verdict even where nodes fail. ``using`` is entered for each judgement once it has a
    actor; ``notify`` receives a sentence for each judge that was lost.
    """

    def __init__(
        self,
        using: Using = contextlib.nullcontext,
        notify: Callable[[str], None] = lambda text: None,  # noqa: ARG005
    ) -> None:
        self._using, self._notify = using, notify
        self._pools: dict[str, ActorPool] = {}
        self._connected: asyncio.Task[bool] | None = None
        self._address = ""

    async def judge(self, request: JudgeRequest) -> Verdict:
        """The verdict; where no node can judge, it says so."""
        # For the node that judges, the target is local.
        text = json.dumps(to_data(replace(request, target=replace(request.target, reach=None))))

        async def ask(actor: JudgeActor) -> Verdict:
            verdict = from_data(of_others(await actor.handle.judge.remote(text)), Verdict)
            return replace(verdict, environment=replace(verdict.environment, node=actor.name))

        found = await self._somewhere(request.target, most_seconds(request), ask)
        if isinstance(found, str):
            return not_run(request, found, f"Ray cluster at {reach_of(request.target).address}")
        return found

    async def rank(self, asked: RankRequest) -> Ranking:
        """The ranking; where no node can rank, it says so."""
        local = replace(asked.request, target=replace(asked.request.target, reach=None))
        text = json.dumps(to_data(replace(asked, request=local)))

        async def ask(actor: JudgeActor) -> Ranking:
            return from_data(of_others(await actor.handle.rank.remote(text)), Ranking)

        found = await self._somewhere(asked.request.target, most_seconds(asked), ask)
        return Ranking(reason=found) if isinstance(found, str) else found

    async def _somewhere(self, target: Target, most: float, ask: Callable[[JudgeActor], Awaitable[T]]) -> T | str:
        """The answer of a node, or why none could give one."""
        lost: dict[str, str] = {}
        short: MachineExhausted | None = None
        try:
            await self._join(reach_of(target))
            pool = self._pools.setdefault(target.name, ActorPool(target))
            for _ in range(MOST_ATTEMPTS):
                actor = await pool.acquire(lost)
                try:
                    return await self._attempt(ask, actor, pool, most + MARGIN_SECONDS)
                except MachineExhausted as error:
                    short = error
                    lost[actor.node] = f"on {actor.name}: {error.reason}"
                    self._notify(f"not judged {lost[actor.node]}")
                except RayError as error:
                    lost[actor.node] = f"on {actor.name}: {str(error).strip().splitlines()[0]}"
                    self._notify(f"a judge was lost {lost[actor.node]}")
        except NoCapacity as full:
            lost[""] = str(full)
        if short is not None:
            raise MachineExhausted("; ".join(lost.values())) from short
        return "; ".join(lost.values())

    async def _join(self, reach: RayReach) -> None:
        if self._connected is None:
            self._address = reach.address
            self._connected = asyncio.create_task(asyncio.to_thread(connect, reach.address))
        if reach.address != self._address:
            raise NoCapacity(f"one run uses one Ray cluster, and this one uses that at {self._address}")
        await asyncio.shield(self._connected)

    async def _attempt(
        self, ask: Callable[[JudgeActor], Awaitable[T]], actor: JudgeActor, pool: ActorPool, most: float
    ) -> T:
        """One attempt on one actor, which is released once it has answered; raises `RayError` when it is lost."""
        try:
            async with self._using():
                said = await asyncio.wait_for(ask(actor), most)
        except TimeoutError:
            await pool.drop(actor)
            raise RayError(f"the judge did not answer within {most:.0f} s") from None
        except RayTaskError as bug:
            await pool.drop(actor)
            if isinstance(bug.cause, MachineExhausted):
                raise bug.cause from None
            raise RayError(f"the node's judge failed: {bug.cause}") from bug
        except BaseException:
            await asyncio.shield(pool.drop(actor))
            raise
        await pool.release(actor)
        return said

    async def close(self) -> None:
        """End every actor, and leave the cluster where this executor has joined it."""
        for pool in self._pools.values():
            await pool.close()
        self._pools = {}
        if self._connected is not None:
            with contextlib.suppress(NoCapacity):
                if await self._connected:
                    await asyncio.to_thread(ray.shutdown)
            self._connected = None


def reach_of(target: Target) -> RayReach:
    """The cluster of a target that has one."""
    assert target.reach is not None, "only targets on a cluster are judged here"
    return target.reach
