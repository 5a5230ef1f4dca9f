"""The seats of one target: actors on nodes, each with what one judgement takes, kept from one judgement to the next."""

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
from akgflow.executors.ray.cluster import Node, NoPlace, offering, options
from akgflow.executors.ray.node import NodeJudge

START_SECONDS = 300.0
"""For Ray to start a worker once a place is free, and for that to load akgflow."""
IDLE_SECONDS = 120.0
"""After this a seat that nobody needs is given back to the cluster."""
LOOK_SECONDS = 1.0
MOST_FAILURES = 3
"""Seats that may fail to start one after the other before the target counts as out of reach."""


@dataclass(eq=False)
class Seat:
    """One actor, and where it sits."""

    actor: Any
    node: str
    name: str
    freed: float = 0.0

    def end(self) -> None:
        """End the actor at once; its judge sees that, and ends with all that it started."""
        with contextlib.suppress(Exception):
            ray.kill(self.actor)


class Seats:
    """Grows with the requests that wait, up to what the living nodes have room for."""

    def __init__(self, target: Target) -> None:
        assert target.reach is not None, "only a target that is elsewhere has seats"
        self.target, self.reach = target, target.reach
        self._idle: list[Seat] = []
        self._taken: set[Seat] = set()
        self._starting: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Condition()
        self._waiting = self._failures = 0
        self._failure = ""

    async def take(self, avoid: Collection[str]) -> Seat:
        """A seat, on a node that is not in ``avoid`` if there is such a one; raises `NoPlace` when there is none."""
        deadline = time.monotonic() + self.reach.wait
        self._waiting += 1
        try:
            while True:
                nodes = await asyncio.to_thread(offering, self.reach)
                seat = self._pick(nodes, avoid)
                if seat is not None:
                    return seat
                self._grow(nodes, avoid)
                if self._failures >= MOST_FAILURES:
                    raise NoPlace(f"no judge could be started on the Ray cluster: {self._failure}")
                if time.monotonic() > deadline:
                    raise NoPlace(f"no place on the Ray cluster came free within {self.reach.wait:.0f} s")
                async with self._changed:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._changed.wait(), LOOK_SECONDS)
        finally:
            self._waiting -= 1

    def _pick(self, nodes: list[Node], avoid: Collection[str]) -> Seat | None:
        living = {node.id for node in nodes}
        welcome = (living - set(avoid)) or living
        for seat in self._idle:
            if seat.node in welcome:
                self._idle.remove(seat)
                self._taken.add(seat)
                return seat
        return None

    def _grow(self, nodes: list[Node], avoid: Collection[str]) -> None:
        """Start another seat where requests wait for more than are starting, and there is room."""
        living = {node.id for node in nodes}
        self._idle = [seat for seat in self._idle if seat.node in living]
        room = sum(node.places for node in nodes) - len(self._idle) - len(self._taken) - len(self._starting)
        if room > 0 and self._waiting > len(self._starting):
            others = {node.id for node in nodes} - set(avoid)
            task = asyncio.create_task(self._start(sorted(avoid) if others else []))
            self._starting.add(task)
            task.add_done_callback(self._starting.discard)

    async def _start(self, avoid: list[str]) -> None:
        chosen = {"label_selector": {"ray.io/node-id": f"!in({','.join(avoid)})"}} if avoid else {}
        make = ray.remote(NodeJudge).options(**options(self.reach), **chosen, max_restarts=0, max_task_retries=0)
        actor = make.remote(json.dumps(to_data(self.target)), self.reach.resources.get("CPU"))
        try:
            said = json.loads(await asyncio.wait_for(actor.hello.remote(), START_SECONDS))
            if said["version"] != __version__:
                raise NoPlace(f"a node has akgflow {said['version']}, and this is {__version__}: install the same")
            names = {node.id: str(node) for node in await asyncio.to_thread(offering, self.reach)}
            seat = Seat(actor, said["node"], names.get(said["node"], said["node"]))
        except BaseException as error:
            with contextlib.suppress(Exception):
                ray.kill(actor)
            self._failures, self._failure = self._failures + 1, str(error).strip() or "it did not start in time"
            if not isinstance(error, Exception):
                raise
        else:
            self._failures = 0
            self._idle.append(seat)
        async with self._changed:
            self._changed.notify_all()

    async def give_back(self, seat: Seat) -> None:
        """The seat is free for the next request; when none comes it is ended after a while."""
        self._taken.discard(seat)
        seat.freed = time.monotonic()
        self._idle.append(seat)
        asyncio.get_running_loop().call_later(IDLE_SECONDS, self._retire, seat, seat.freed)
        async with self._changed:
            self._changed.notify()

    def _retire(self, seat: Seat, freed: float) -> None:
        if seat in self._idle and seat.freed == freed:
            self._idle.remove(seat)
            seat.end()

    async def drop(self, seat: Seat) -> None:
        """The seat is lost, or must not be used again."""
        self._taken.discard(seat)
        seat.end()
        async with self._changed:
            self._changed.notify()

    async def close(self) -> None:
        """End every seat."""
        for task in tuple(self._starting):
            task.cancel()
        await asyncio.gather(*self._starting, return_exceptions=True)
        for seat in (*self._idle, *self._taken):
            with contextlib.suppress(Exception):
                await asyncio.wait_for(seat.actor.close.remote(), 20.0)
            seat.end()
        self._idle, self._taken = [], set()
