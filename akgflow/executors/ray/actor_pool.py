"""The actors of one target: each runs a judge on a node, holds what one judgement takes, and is used again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import ray

from akgflow import __version__
from akgflow.base.serial import to_data
from akgflow.config.types import Target
from akgflow.executors.ray.cluster import NoCapacity, Node, offering, options
from akgflow.executors.ray.node import NodeJudge

START_SECONDS = 300.0
"""For Ray to start a worker once resources are free, and for the worker to load akgflow."""
IDLE_SECONDS = 120.0
"""An actor that is idle for longer is ended, which frees its resources."""
POLL_SECONDS = 1.0
"""Between two looks at the cluster while a request waits."""
MOST_FAILURES = 3
"""Failed starts in a row after which the target counts as unavailable."""


@dataclass(eq=False)
class JudgeActor:
    """One actor and its node."""

    handle: Any
    """Ray's handle."""
    node: str
    """The node's id."""
    name: str
    """The node's name for people."""
    freed: float = 0.0
    """When it became idle, on the monotonic clock."""

    def end(self) -> None:
        """Kill the actor; its judge notices and ends with all that it started."""
        with contextlib.suppress(Exception):
            ray.kill(self.handle)


class ActorPool:
    """Grows with the requests that wait, up to the capacity of the living nodes."""

    def __init__(self, target: Target) -> None:
        assert target.reach is not None, "only a target on a cluster has actors"
        self.target, self.reach = target, target.reach
        self._idle: list[JudgeActor] = []
        self._busy: set[JudgeActor] = set()
        self._starting: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Condition()
        self._waiting = self._failures = 0
        self._failure = ""

    async def acquire(self, avoid: Collection[str]) -> JudgeActor:
        """An idle or new actor, not on a node in ``avoid`` where there is another; raises `NoCapacity`."""
        deadline = time.monotonic() + self.reach.wait
        self._waiting += 1
        try:
            while True:
                nodes = await asyncio.to_thread(offering, self.reach)
                actor = self._pick(nodes, avoid)
                if actor is not None:
                    return actor
                self._grow(nodes, avoid)
                if self._failures >= MOST_FAILURES:
                    raise NoCapacity(f"no judge could be started on the Ray cluster: {self._failure}")
                if time.monotonic() > deadline:
                    raise NoCapacity(f"no capacity on the Ray cluster came free within {self.reach.wait:.0f} s")
                async with self._changed:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._changed.wait(), POLL_SECONDS)
        finally:
            self._waiting -= 1

    def _pick(self, nodes: list[Node], avoid: Collection[str]) -> JudgeActor | None:
        living = {node.id for node in nodes}
        wanted = (living - set(avoid)) or living
        for actor in self._idle:
            if actor.node in wanted:
                self._idle.remove(actor)
                self._busy.add(actor)
                return actor
        return None

    def _grow(self, nodes: list[Node], avoid: Collection[str]) -> None:
        """Start another actor where more requests wait than actors start, and capacity is left."""
        living = {node.id for node in nodes}
        self._idle = [actor for actor in self._idle if actor.node in living]
        room = sum(node.capacity for node in nodes) - len(self._idle) - len(self._busy) - len(self._starting)
        if room > 0 and self._waiting > len(self._starting):
            others = {node.id for node in nodes} - set(avoid)
            task = asyncio.create_task(self._start(sorted(avoid) if others else []))
            self._starting.add(task)
            task.add_done_callback(self._starting.discard)

    async def _start(self, avoid: list[str]) -> None:
        chosen = {"label_selector": {"ray.io/node-id": f"!in({','.join(avoid)})"}} if avoid else {}
        make = ray.remote(NodeJudge).options(**options(self.reach), **chosen, max_restarts=0, max_task_retries=0)
        handle = make.remote(json.dumps(to_data(self.target)), self.reach.resources.get("CPU"))
        try:
            said = json.loads(await asyncio.wait_for(handle.hello.remote(), START_SECONDS))
            if said["version"] != __version__:
                raise NoCapacity(f"a node has akgflow {said['version']}, and this is {__version__}: install the same")
            names = {node.id: str(node) for node in await asyncio.to_thread(offering, self.reach)}
            actor = JudgeActor(handle, said["node"], names.get(said["node"], said["node"]))
        except BaseException as error:
            with contextlib.suppress(Exception):
                ray.kill(handle)
            self._failures, self._failure = self._failures + 1, str(error).strip() or "it did not start in time"
            if not isinstance(error, Exception):
                raise
        else:
            self._failures = 0
            self._idle.append(actor)
        async with self._changed:
            self._changed.notify_all()

    async def release(self, actor: JudgeActor) -> None:
        """Offer the actor to the next request; end it if none comes within `IDLE_SECONDS`."""
        self._busy.discard(actor)
        actor.freed = time.monotonic()
        self._idle.append(actor)
        asyncio.get_running_loop().call_later(IDLE_SECONDS, self._retire, actor, actor.freed)
        async with self._changed:
            self._changed.notify()

    def _retire(self, actor: JudgeActor, freed: float) -> None:
        if actor in self._idle and actor.freed == freed:
            self._idle.remove(actor)
            actor.end()

    async def drop(self, actor: JudgeActor) -> None:
        """End an actor that is lost or must not be used again."""
        self._busy.discard(actor)
        actor.end()
        async with self._changed:
            self._changed.notify()

    async def close(self) -> None:
        """End every actor."""
        for task in tuple(self._starting):
            task.cancel()
        await asyncio.gather(*self._starting, return_exceptions=True)
        for actor in (*self._idle, *self._busy):
            with contextlib.suppress(Exception):
                await asyncio.wait_for(actor.handle.close.remote(), 20.0)
            actor.end()
        self._idle, self._busy = [], set()
