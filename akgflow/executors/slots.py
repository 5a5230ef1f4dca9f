"""The devices of this machine and its processor, and which judgements may use them at the same time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from typing import Generic, TypeVar

from akgflow.config.types import Target
from akgflow.machine import Device, Machine

T = TypeVar("T")


class TimingLock:
    """A lock that judgements share and a timing holds alone; a timing that waits goes before later judgements."""

    def __init__(self) -> None:
        self._changed = asyncio.Condition()
        self._shared, self._waiting, self._exclusive = 0, 0, False

    @contextlib.asynccontextmanager
    async def shared(self) -> AsyncIterator[None]:
        """Hold the lock beside other judgements; waits while a timing holds it or waits for it."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._exclusive and not self._waiting)
            self._shared += 1
        try:
            yield
        finally:
            await asyncio.shield(self._release(shared=1))

    @contextlib.asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Hold the lock alone."""
        async with self._changed:
            self._waiting += 1
            try:
                await self._changed.wait_for(lambda: not self._exclusive and not self._shared)
                self._exclusive = True
            finally:
                self._waiting -= 1
                self._changed.notify_all()
        try:
            yield
        finally:
            await asyncio.shield(self._release(shared=0))

    async def _release(self, *, shared: int) -> None:
        async with self._changed:
            self._shared -= shared
            self._exclusive = False
            self._changed.notify_all()


class Slot(Generic[T]):
    """One device of this machine, or its processor (``device`` None), with the judges that are idle on it.

    ``machine`` is what those judges see: this device and no other. A timing holds ``timing_lock`` alone.
    """

    def __init__(self, machine: Machine, device: Device | None, lock: TimingLock) -> None:
        self.machine = replace(machine, devices=(device,) if device else ())
        self.device = device
        self.timing_lock = lock
        self.users = 0
        self.idle: list[T] = []

    @contextlib.contextmanager
    def used(self) -> Iterator[None]:
        """Count a user while the block lasts."""
        self.users += 1
        try:
            yield
        finally:
            self.users -= 1


class Slots(Generic[T]):
    """The slots of a machine.

    Judgements on different devices run concurrently, and a timing has its device alone. On a machine with one device
    or none, a judgement beside a timing would only disturb it: the timing has the whole machine.
    """

    def __init__(self, machine: Machine) -> None:
        self.timing_lock = TimingLock()
        self.processor: Slot[T] = Slot(machine, None, self.timing_lock)
        several = len(machine.devices) > 1
        locks = (TimingLock() if several else self.timing_lock for _ in machine.devices)
        self.devices: Sequence[Slot[T]] = [
            Slot(machine, device, lock) for device, lock in zip(machine.devices, locks, strict=True)
        ]

    @property
    def all(self) -> Sequence[Slot[T]]:
        """The processor's and every device's."""
        return (self.processor, *self.devices)

    def choose(self, target: Target, *, executes: bool) -> Slot[T]:
        """Of the devices that are a ``target`` the one with the fewest users; the processor where none is needed."""
        here = [slot for slot in self.devices if executes and slot.machine.device_for(target) is not None]
        return min(here, key=lambda slot: slot.users, default=self.processor)
