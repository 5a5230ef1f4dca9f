"""Races between the programs of a launch: what one writes and another touches, with nothing that orders the two.

Programs are ordered by atomic operations on one number (a lock, a counter of arrivals): what a program did before such
an operation has happened for all programs that come to the same number later. Each program has a clock that counts its
operations of this kind; what it did is stamped with program and clock (vector clocks, as in Lamport 1978 and in
FastTrack, Flanagan and Freund 2009). A write that changes nothing is none: many programs may write the same value.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from akgflow.toolchains.triton.interpreter.memory import Segment, Spot

_MOST_CELLS = 24 << 20
"""Elements of all tensors together that are watched; beyond them the stamps would fill the memory."""
_MOST_ORDERED = 8192
"""Programs of a launch that uses atomics, each of which has a clock for every other."""


class _Cells:
    """Stamps of the last accesses to each element of a segment; -1 for none."""

    def __init__(self, size: int, grain: int) -> None:
        self.grain, count = grain, -(-size // grain)
        self.wrote = np.full(count, -1, dtype=np.int32)
        self.read = np.full(count, -1, dtype=np.int32)
        self.read_before = np.full(count, -1, dtype=np.int32)
        """By another program than ``read``."""
        self.atomic: Any = None

    def refined(self, grain: int) -> None:
        times = self.grain // grain
        for name in ("wrote", "read", "read_before", "atomic"):
            old = getattr(self, name)
            if old is not None:
                setattr(self, name, np.repeat(old, times))
        self.grain = grain


class Conflict(Exception):
    """Two programs touch one element: what was done, the segment, the byte, and the other program."""

    def __init__(self, did: str, other: str, segment: Segment, offset: int, program: int) -> None:
        self.did, self.other, self.segment, self.offset, self.program = did, other, segment, offset, program
        super().__init__(did)


class Watch:
    """The stamps of one launch of ``programs`` programs; ``atomics`` tells whether anything can order them."""

    def __init__(self, programs: int, atomics: bool) -> None:
        bits = max(1, (programs - 1).bit_length())
        self._shift = min(12, 30 - bits) if atomics else 0
        self._last = (1 << self._shift) - 1
        self.active = programs > 1 and bits <= 30 and not (atomics and programs > _MOST_ORDERED)
        self._programs, self._atomics = programs, atomics
        self._cells: dict[int, _Cells] = {}
        self._count = 0
        self._program, self._clock = 0, 0
        self._known: Any = None
        self._released: dict[int, Any] = {}

    def begin(self, program: int) -> None:
        """The next accesses are those of ``program``."""
        self._program, self._clock, self._known = program, 0, None

    def synchronise(self, address: int, acquires: bool, releases: bool) -> None:
        """An atomic operation on the one number at ``address``."""
        if not self.active:
            return
        if self._known is None:
            self._known = np.full(self._programs, -1, dtype=np.int32)
        before = self._released.get(address)
        if acquires and before is not None:
            np.maximum(self._known, before, out=self._known)
        if releases:
            now = self._known.copy()
            now[self._program] = self._clock
            self._released[address] = now if before is None else np.maximum(now, before)
            self._clock = min(self._clock + 1, self._last)

    def reads(self, spot: Spot, item: int) -> None:
        """Plain loads; raises `Conflict`."""
        for segment, _, cells, places, offsets in self._of(spot, item):
            for stamps, other in ((cells.wrote, "writes"), (cells.atomic, "changes atomically")):
                self._refuse("reads", other, stamps, places, segment, offsets)
            last = cells.read[places]
            moved = places[(last >> self._shift) != self._program]
            cells.read_before[moved] = cells.read[moved]
            cells.read[places] = self._stamp

    def writes(self, spot: Spot, item: int, changed: Any) -> None:
        """Plain stores, of which ``changed`` (by lane of the access) leave another value; raises `Conflict`."""
        for segment, lanes, cells, places, offsets in self._of(spot, item, changed):
            del lanes
            self._against_plain("writes", cells, places, segment, offsets)
            self._refuse("writes", "changes atomically", cells.atomic, places, segment, offsets)
            cells.wrote[places] = self._stamp

    def updates(self, spot: Spot, item: int) -> None:
        """Atomic operations; raises `Conflict`."""
        for segment, _, cells, places, offsets in self._of(spot, item):
            self._against_plain("changes atomically", cells, places, segment, offsets)
            if cells.atomic is None:
                cells.atomic = np.full(len(cells.wrote), -1, dtype=np.int32)
            cells.atomic[places] = self._stamp

    @property
    def _stamp(self) -> int:
        return (self._program << self._shift) + self._clock

    def _against_plain(self, did: str, cells: _Cells, places: Any, segment: Segment, offsets: Any) -> None:
        self._refuse(did, "writes", cells.wrote, places, segment, offsets)
        self._refuse(did, "reads", cells.read, places, segment, offsets)
        self._refuse(did, "reads", cells.read_before, places, segment, offsets)

    def _refuse(self, did: str, other: str, stamps: Any, places: Any, segment: Segment, offsets: Any) -> None:
        if stamps is None:
            return
        found = stamps[places]
        program = found >> self._shift
        foreign = (found >= 0) & (program != self._program)
        if self._atomics and self._known is not None:
            clock = found & self._last
            foreign &= (clock > self._known[np.maximum(program, 0)]) & (clock < max(self._last, 1))
        if foreign.any():
            first = int(np.argmax(foreign))
            raise Conflict(did, other, segment, int(offsets[first * len(offsets) // len(places)]), int(program[first]))

    def _of(self, spot: Spot, item: int, changed: Any = None) -> Any:
        """For each segment of an access: segment, lanes, its stamps, the cells touched, the lanes' offsets."""
        if not self.active:
            return
        for segment, lanes, offsets in spot.parts:
            if changed is not None:
                kept = changed[lanes]
                lanes, offsets = lanes[kept], offsets[kept]
            cells = self._cells_of(segment, item, offsets) if lanes.size else None
            if cells is None:
                continue
            places = offsets // cells.grain
            if item > cells.grain:
                places = (places[:, None] + np.arange(item // cells.grain)).reshape(-1)
            yield segment, lanes, cells, places, offsets

    def _cells_of(self, segment: Segment, item: int, offsets: Any) -> _Cells | None:
        cells = self._cells.get(id(segment))
        if cells is None:
            self._count += segment.size // item
            if self._count > _MOST_CELLS:
                self.active = False
                return None
            cells = self._cells[id(segment)] = _Cells(segment.size, item)
        if item < cells.grain:
            cells.refined(item)
        while cells.grain > 1 and bool((offsets % cells.grain).any()):
            cells.refined(cells.grain // 2)
        return cells
