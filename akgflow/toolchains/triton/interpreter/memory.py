"""The memory that an interpreted kernel may touch.

Each storage that a kernel is given gets its own addresses, far from all others, so that there is no memory past its
end. Addresses that host code has asked for (``data_ptr``) stay valid beside them: kernels load such
addresses from tables.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from akgflow.toolchains.base import KernelFault

_APART = 1 << 44
"""Bytes between the first addresses of two storages."""
_PAGE = 4096
"""Addresses keep their place in a page, and so every alignment that a kernel may rely on."""


@dataclass(eq=False)
class Segment:
    """One storage: where it is really (``real``, in bytes), how long it is, and whose argument it is."""

    real: int
    size: int
    names: list[tuple[int, str, str]] = field(default_factory=list)
    """Real address, name and form of each argument in it."""
    saved: bytes | None = None


@dataclass(frozen=True)
class Spot:
    """Where an access lands: ``real`` addresses of all lanes, the segment of those that count and their offsets."""

    real: Any
    parts: tuple[tuple[Segment, Any, Any], ...]
    """Segment, lanes (places in the flattened access), offsets in bytes."""


class Memory:
    """All segments of one launch."""

    def __init__(self) -> None:
        self._segments: list[Segment] = []
        self._starts: list[int] = []
        self._sorted: tuple[Any, Any, list[Segment]] | None = None
        self._found: dict[int, tuple[Segment, int]] = {}
        self.undo = False
        """Keep what is overwritten, so that `restore` can bring it back."""

    def virtual(self, address: int, start: int, size: int) -> int:
        """The address under which a kernel knows ``address``, of a storage of ``size`` bytes from ``start`` on."""
        if start not in self._found:
            segment = Segment(start, size)
            place = (len(self._found) + 1) * _APART + start % _PAGE
            self._found[start] = segment, place
            self._add(place, segment)
        _, place = self._found[start]
        return place + address - start

    def alias(self, start: int, size: int) -> None:
        """Let a storage be known by its real addresses."""
        segment = self._found[start][0] if start in self._found else Segment(start, size)
        self._found.setdefault(start, (segment, start))
        self._add(start, segment)

    def name(self, address: int, start: int, name: str, form: str) -> None:
        """Remember that an argument called ``name`` begins at the real ``address`` of that storage."""
        self._found[start][0].names.append((address, name, form))

    def _add(self, place: int, segment: Segment) -> None:
        self._starts.append(place)
        self._segments.append(segment)
        self._sorted = None

    def _table(self) -> tuple[Any, Any, list[Segment]]:
        if self._sorted is None:
            order = sorted(range(len(self._starts)), key=self._starts.__getitem__)
            starts = np.array([self._starts[i] for i in order], dtype=np.uint64)
            segments = [self._segments[i] for i in order]
            self._sorted = starts, np.array([s.size for s in segments], dtype=np.int64), segments
        return self._sorted

    def locate(self, addresses: Any, mask: Any, item: int, what: str) -> Spot:
        """Where the lanes of an access that ``mask`` lets through land; raises `KernelFault` for one that misses."""
        flat = np.ascontiguousarray(addresses, dtype=np.uint64).reshape(-1)
        lanes = np.flatnonzero(np.broadcast_to(mask, np.shape(addresses)).reshape(-1))
        real = flat.astype(np.uint64, copy=True)
        if not lanes.size:
            return Spot(real.reshape(np.shape(addresses)), ())
        starts, sizes, segments = self._table()
        wanted = flat[lanes]
        if not segments:
            raise KernelFault(f"{what} memory, though it was given none")
        at = np.searchsorted(starts, wanted, side="right").astype(np.int64) - 1
        inside = at >= 0
        offsets = (wanted - starts[np.maximum(at, 0)]).astype(np.int64)
        inside &= (offsets >= 0) & (offsets + item <= sizes[np.maximum(at, 0)])
        if not inside.all():
            raise KernelFault(self._missed(wanted[~inside], item, what))
        parts = []
        for number in np.unique(at):
            segment, here = segments[int(number)], at == number
            parts.append((segment, lanes[here], offsets[here]))
            real[lanes[here]] = offsets[here].astype(np.uint64) + np.uint64(segment.real)
        return Spot(real.reshape(np.shape(addresses)), tuple(parts))

    def _missed(self, addresses: Any, item: int, what: str) -> str:
        """A sentence about an access beside all memory, by the argument that is nearest."""
        address, (starts, _, segments) = int(addresses[0]), self._table()
        ends = [(int(start), int(start) + one.size) for start, one in zip(starts, segments, strict=True)]
        # Where real neighbours are about as near, running past an end is the likelier mistake.
        distances = [min(4 * abs(address - start), abs(address - end)) for start, end in ends]
        nearest = int(np.argmin(np.array(distances, dtype=np.float64)))
        start, segment = ends[nearest][0], segments[nearest]
        many = f"{what} {len(addresses)} element{'s' if len(addresses) > 1 else ''}"
        if distances[nearest] > _APART // 4:
            return f"{many} at an address that is in no tensor ({address:#x})"
        offset = address - start
        side = "before the start" if offset < 0 else "past the end"
        real = segment.real + offset
        names = [one for one in segment.names if one[0] <= real] or segment.names
        if not names:
            return f"{many} {side} of a tensor of {segment.size} bytes"
        begin, name, form = max(names)
        return f"{many} {side} of {name} ({form}), element {(real - begin) // item} first"

    def keep(self, spot: Spot) -> None:
        """Save what an access is about to overwrite, once for each segment."""
        if self.undo:
            for segment, _, _ in spot.parts:
                if segment.saved is None:
                    segment.saved = ctypes.string_at(segment.real, segment.size)

    def restore(self) -> None:
        """Bring back what was overwritten since ``undo`` was set."""
        for segment in {id(s): s for s in self._segments}.values():
            if segment.saved is not None:
                ctypes.memmove(segment.real, segment.saved, segment.size)
                segment.saved = None
