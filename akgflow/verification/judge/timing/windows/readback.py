"""Reading answers back: the judge reads them from the other process's own memory.

If the other process copied them, the cost of the copy could not be subtracted: a candidate that writes its answers
straight to where they are wanted would be credited for a copy that it never made.
"""

from __future__ import annotations

import bisect
import contextlib
import ctypes
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import torch

from akgflow.base.maps import mappings
from akgflow.terms import Status
from akgflow.verification.judge.failures import CandidateFailed
from akgflow.verification.judge.timing.windows.questions import ChangedInput, Questions
from akgflow.verification.shared import cuda_ipc, memory
from akgflow.verification.shared.channel import MAX_BYTES
from akgflow.verification.shared.protocol import Answered

_MOST_PIECES = 1024
"""``IOV_MAX`` of Linux (``UIO_MAXIOV``, uapi ``linux/uio.h``)."""
_ADDRESS_TEXT, _SEGMENT_TEXT = 18, 180
"""Bytes of an address and of an allocation in a reply."""
_LARGE_ANSWER = 1 << 20
"""Bytes from which on a copy by the device's copy engine is quicker than a share of a fused kernel."""
_SMALL_ALLOCATION = 1 << 20
"""Bytes below which answers share allocations of torch's."""


class ReadbackFailed(Exception):
    """The answers cannot be read where they are said to be; the text says why."""


class AnswerLocations(NamedTuple):
    """Where a reply says that the answers are.

    ``at`` holds addresses and ``strides`` elements, both by output; ``overwritten``: some answers share a place.
    """

    at: list[list[int]]
    strides: list[list[int]]
    overwritten: bool


class AnswerBuffer:
    """The judge's own memory for answers: ``count`` slots of ``pitch`` bytes.

    ``windows`` gives, for the first slot of each window that was read, the number of its slots and the strides by
    output; ``overwritten`` whether some of its answers share a place, so that only the last of them is there.
    """

    def __init__(self, outs: Sequence[Mapping[str, Any]], count: int, pitch: int, device: str) -> None:
        self.outs, self.pitch = outs, pitch
        self.bytes = torch.zeros(count * pitch, dtype=torch.uint8, device=device)
        self.sizes = [_size(place) for place in outs]
        self.windows: dict[int, tuple[int, list[list[int]]]] = {}
        self.overwritten: dict[int, bool] = {}
        self._pieces: dict[tuple[int, int], list[torch.Tensor]] = {}

    def note(self, first: int, n: int, locations: AnswerLocations) -> None:
        """Slots ``first`` to ``first + n`` are about to be read."""
        self.windows[first] = (n, locations.strides)
        self.overwritten[first] = locations.overwritten

    def pieces(self, first: int, n: int) -> list[torch.Tensor]:
        """The room for each answer of a window, by output. Made once: a clock may be running."""
        found = self._pieces.get((first, n))
        if found is None:
            found = self._pieces[first, n] = [
                self.bytes[start : start + size]
                for output, size in enumerate(self.sizes)
                if size
                for start in (self.start(output, slot) for slot in range(first, first + n))
            ]
        return found

    def start(self, output: int, slot: int) -> int:
        """Where an answer begins, in bytes."""
        return int(slot * self.pitch + self.outs[output]["offset"])

    def answers(self, output: int, first: int) -> torch.Tensor:
        """One output of all slots of the window that begins with slot ``first``, stacked."""
        n, strides = self.windows[first]
        place = self.outs[output]
        dtype = memory.dtype_of(place["dtype"])
        shape = tuple(place["shape"])
        if 0 in shape:
            return torch.empty((n, *shape), dtype=dtype, device=self.bytes.device)
        step, start = self.pitch // dtype.itemsize, self.start(output, first) // dtype.itemsize
        return self.bytes.view(dtype).as_strided((n, *shape), (step, *strides[output]), start)

    def changed(self, one: ChangedInput, first: int) -> torch.Tensor:
        """An input that calls change, of all slots of the window that begins with slot ``first``, stacked."""
        n, _ = self.windows[first]
        form = one.placed.tensor
        if not one.size:
            return torch.empty((n, *form.shape), dtype=form.dtype, device=self.bytes.device)
        size = form.element_size()
        start = (first * self.pitch + one.at) // size
        return self.bytes.view(form.dtype).as_strided((n, *form.shape), (self.pitch // size, *form.stride()), start)


def most_in_a_reply(questions: Questions) -> int:
    """The number of answers whose locations fit into one reply."""
    outputs = max(1, len(questions.outs))
    allocations = min(outputs, questions.out_pitch / _SMALL_ALLOCATION + 0.01)
    return int(0.9 * MAX_BYTES / (_ADDRESS_TEXT * outputs + _SEGMENT_TEXT * allocations))


class Readback(Protocol):
    """Fills an `AnswerBuffer` with the answers of ``n`` slots from ``first`` on, by the other process's reply."""

    def read(self, reply: Answered, buffer: AnswerBuffer, first: int, n: int) -> None:
        """Returns once the judge has its copy; raises `ReadbackFailed`."""
        ...

    def close(self) -> None:
        """Let go of the other process's memory."""
        ...


class _Piece(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class HostReadback:
    """Reads the other process's memory with one system call (``process_vm_readv``) for a thousand answers.

    ``separate`` says for each output whether its answers must be in memory that is not the judge's. In single calls
    the process's word is enough; here a copy that it leaves out would save time.
    """

    def __init__(self, pid: int, separate: Sequence[bool]) -> None:
        self.pid, self.separate = pid, separate
        self._read = ctypes.CDLL(None, use_errno=True).process_vm_readv
        pieces = (ctypes.c_void_p, ctypes.c_ulong)
        self._read.argtypes = (ctypes.c_int, *pieces, *pieces, ctypes.c_ulong)
        self._read.restype = ctypes.c_ssize_t

    def read(self, reply: Answered, buffer: AnswerBuffer, first: int, n: int) -> None:
        locations = _locations(reply, buffer.outs, n)
        buffer.note(first, n, locations)
        if any(self.separate):
            self._require_own_memory(locations.at)
        for output, column in enumerate(locations.at):
            base, size = buffer.bytes.data_ptr() + buffer.start(output, first), buffer.sizes[output]
            for low in range(0, n if size else 0, _MOST_PIECES):
                part = column[low : low + _MOST_PIECES]
                ours = (_Piece * len(part))(*(_Piece(base + (low + i) * buffer.pitch, size) for i in range(len(part))))
                theirs = (_Piece * len(part))(*(_Piece(address, size) for address in part))
                if self._read(self.pid, ours, len(part), theirs, len(part), 0) != size * len(part):
                    raise ReadbackFailed(f"process memory cannot be read: {os.strerror(ctypes.get_errno())}")

    def _require_own_memory(self, at: Sequence[Sequence[int]]) -> None:
        shared = list(_shared_by(self.pid))
        for column, separate in zip(at, self.separate, strict=True):
            if separate and any(start <= address < end for address in column for start, end in shared):
                why = "shares its memory with an input or a parameter while it is timed; it must be a tensor of its own"
                raise CandidateFailed(Status.REFUSED, f"the output {why}")

    def close(self) -> None:
        pass


def _shared_by(pid: int) -> Iterator[tuple[int, int]]:
    """Ranges in which a process has mapped memory of the judge's: first address, and the one after the last."""
    _, keys = memory.held()
    with contextlib.suppress(OSError):
        yield from ((one.start, one.end) for one in mappings(pid) if (one.device, one.inode) in keys)


class CudaReadback:
    """Copies from the other process's allocations, opened once each; what is small in one fused launch."""

    def __init__(self) -> None:
        self._opened: dict[tuple[int, str], torch.Tensor] = {}
        self._known: dict[int, tuple[Answered, AnswerLocations, list[torch.Tensor]]] = {}

    def read(self, reply: Answered, buffer: AnswerBuffer, first: int, n: int) -> None:
        known = self._known.get(first)
        if known is None or known[0] != reply:
            # Allocators return the same places again and again: what was worked out for them is used until they do not.
            locations = _locations(reply, buffer.outs, n)
            known = self._known[first] = (reply, locations, self._pieces(reply, locations, buffer.sizes))
        buffer.note(first, n, known[1])
        ours, theirs = buffer.pieces(first, n), known[2]
        if not ours:
            return
        if max(buffer.sizes, default=0) < _LARGE_ANSWER:
            torch._foreach_copy_(ours, theirs)
        else:
            for one, other in zip(ours, theirs, strict=True):
                one.copy_(other)
        torch.cuda.synchronize()

    def _pieces(self, reply: Answered, locations: AnswerLocations, sizes: Sequence[int]) -> list[torch.Tensor]:
        if reply.segments is None:
            raise ReadbackFailed("a process on the device cannot share its memory here")
        try:
            spans = sorted(reply.segments)
            return [
                self._view(spans, address, size)
                for column, size in zip(locations.at, sizes, strict=True)
                if size
                for address in column
            ]
        except (ValueError, RuntimeError) as error:
            raise ReadbackFailed(f"device memory cannot be read: {error}") from error

    def _view(self, spans: Sequence[tuple[int, int, str]], address: int, size: int) -> torch.Tensor:
        place = bisect.bisect_right(spans, address, key=lambda span: span[0]) - 1
        base, length, handle = spans[place] if place >= 0 else (0, 0, "")
        if address + size > base + length:
            raise ValueError("an answer is in no allocation that was named")
        opened = self._opened.get((base, handle))
        if opened is None:
            opened = self._opened[base, handle] = cuda_ipc.open_untrusted(handle, length)
        return opened[address - base : address - base + size]

    def close(self) -> None:
        self._known.clear()
        self._opened.clear()


class SharedReadback:
    """Copies from memory that both processes see. The other process has copied its answers there, on its own time."""

    def __init__(self, region: memory.Region) -> None:
        self.region = region

    def read(self, reply: Answered, buffer: AnswerBuffer, first: int, n: int) -> None:
        strides = [list(torch.empty(tuple(p["shape"]), device="meta").stride()) for p in buffer.outs]
        buffer.note(first, n, AnswerLocations([], strides, False))
        if reply != Answered():
            raise ReadbackFailed("the reply speaks of other memory than was agreed")
        part = slice(first * buffer.pitch, (first + n) * buffer.pitch)
        buffer.bytes[part].copy_(self.region.bytes[part])
        if buffer.bytes.device.type == "cuda":
            torch.cuda.synchronize()

    def close(self) -> None:
        pass


def _locations(reply: Answered, outs: Sequence[Mapping[str, Any]], n: int) -> AnswerLocations:
    """The locations of ``n`` answers in a reply, once it is checked that the strides stay within an answer."""
    if reply.at is None or reply.strides is None or not len(reply.at) == len(reply.strides) == len(outs):
        raise ReadbackFailed("the reply does not say where the answers lie")
    if any(len(column) != n for column in reply.at):
        raise ReadbackFailed("the reply does not say where the answers lie")
    strides = [_within(place["shape"], stride) for place, stride in zip(outs, reply.strides, strict=True)]
    columns = [column for place, column in zip(outs, reply.at, strict=True) if 0 not in place["shape"]]
    return AnswerLocations(reply.at, strides, any(len(set(column)) < n for column in columns))


def _within(shape: Sequence[int], strides: list[int]) -> list[int]:
    """The strides, 0 where an axis has one element; raises `ReadbackFailed` where they lead out of a packed answer."""
    if len(strides) != len(shape):
        raise ReadbackFailed("the reply describes answers that do not fit")
    # Along an axis of one element nothing is stepped over: what is said there may be anything.
    used = [step if size > 1 else 0 for size, step in zip(shape, strides, strict=True)]
    reach = sum((size - 1) * step for size, step in zip(shape, used, strict=True))
    if 0 not in shape and reach >= max(1, _count(shape)):
        raise ReadbackFailed("the reply describes answers that do not fit")
    return used


def _count(shape: Sequence[int]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


def _size(place: Mapping[str, Any]) -> int:
    return int(_count(place["shape"]) * memory.dtype_of(place["dtype"]).itemsize)
