"""Who may use what of this machine at the same time: devices, and the processor that they share."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Generic, TypeVar

from akgflow.config.types import Target
from akgflow.machine import Device, Machine

T = TypeVar("T")


class Floor:
    """Many may judge at once, or one may time alone. A waiting timing goes before judgements that have not begun."""

    def __init__(self) -> None:
        self._changed = asyncio.Condition()
        self._shared, self._waiting, self._alone = 0, 0, False

    async def enter(self) -> None:
        """Join the judging; waits while somebody times or waits to."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._alone and not self._waiting)
            self._shared += 1

    async def leave(self) -> None:
        """Stop judging."""
        async with self._changed:
            self._shared -= 1
            self._changed.notify_all()

    @contextlib.asynccontextmanager
    async def shared(self) -> AsyncIterator[None]:
        """Enter, and leave again whatever happens."""
        await self.enter()
        try:
            yield
        finally:
            await asyncio.shield(self.leave())

    async def seize(self) -> None:
        """Have the machine alone."""
        async with self._changed:
            self._waiting += 1
            try:
                await self._changed.wait_for(lambda: not self._alone and not self._shared)
                self._alone = True
            finally:
                self._waiting -= 1
                self._changed.notify_all()

    async def release(self) -> None:
        """Let the others judge again."""
        async with self._changed:
            self._alone = False
            self._changed.notify_all()


class Slot(Generic[T]):
    """One device of this machine, or its processor (``device`` None), with the judges that are kept for it.

    ``machine`` is what those judges know of: this device and no other. ``floor`` is what a timing has alone.
    """

    def __init__(self, machine: Machine, device: Device | None, floor: Floor) -> None:
        self.machine = Machine(machine.cpu, machine.cores, (device,) if device else ())
        self.device = device
        self.floor = floor
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

    Judgements on different devices go side by side, and a timing has its device alone. Where there is one device, or
    none, what would go on beside a timing could only disturb it: it has the whole machine.
    """

    def __init__(self, machine: Machine) -> None:
        self.floor = Floor()
        self.processor: Slot[T] = Slot(machine, None, self.floor)
        several = len(machine.devices) > 1
        floors = (Floor() if several else self.floor for _ in machine.devices)
        self.devices: Sequence[Slot[T]] = [
            Slot(machine, device, floor) for device, floor in zip(machine.devices, floors, strict=True)
        ]

    @property
    def all(self) -> Sequence[Slot[T]]:
        """The processor's and every device's."""
        return (self.processor, *self.devices)

    def choose(self, target: Target, *, executes: bool) -> Slot[T]:
        """Of the devices that are a ``target`` the one with the fewest users; the processor where none is needed."""
        here = [slot for slot in self.devices if executes and slot.machine.device_for(target) is not None]
        return min(here, key=lambda slot: slot.users, default=self.processor)
