"""Memory that judge and candidate share, and how tensors are laid out in it.

A `Region` is plain bytes, on the host (a memfd of fixed size) or on a GPU (CUDA IPC); its *handle* is JSON and, for the
host, one file descriptor. `lay_out` gives a value's tensors places in a region and describes the value as JSON;
`rebuild` makes the value from the description, as views of the region. Nothing is pickled in either direction.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from akgflow.base.pages import libc
from akgflow.operators.arguments import Keywords
from akgflow.verification.shared import cuda_ipc

_SPARSE_BYTES = 256 << 20
ALIGN = 256
VECTOR = 64
"""Bytes of the widest vector load, to which torch aligns tensors on a CPU."""
GUARD, GUARD_BYTE = 256, 0xFF
"""So many bytes before and behind a tensor; as floating-point numbers of any size they are NaN."""
HOLE = 4 * mmap.PAGESIZE
"""Bytes before and behind a tensor's pages at which an access ends the process."""
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
_SCALARS = (bool, int, float, str, type(None))

Tree = dict[str, Any]
"""A value's JSON: ``tensor``, ``list``, ``tuple``, ``dict``, ``keywords``, ``value``, ``dtype`` or ``device``."""

Identity = tuple[int, int, tuple[int, ...], tuple[int, ...]]


@dataclass
class Region:
    """Bytes that two processes share."""

    bytes: torch.Tensor
    """One-dimensional, uint8."""
    handle: Mapping[str, Any]
    """What `attach` needs besides ``fd``, as JSON."""
    fd: int | None = None
    """The memfd of a host region."""
    map: mmap.mmap | None = None
    """The mapping of a host region."""

    def __del__(self) -> None:
        if self.fd is not None:
            _created.pop(self.fd, None)
            os.close(self.fd)

    @property
    def holes(self) -> tuple[tuple[int, int], ...]:
        """Pages that are closed to who attaches it, as first byte and the one after the last."""
        return tuple((start, stop) for start, stop in self.handle.get("holes", ()))


_created: dict[int, tuple[tuple[int, int], int]] = {}


def held() -> tuple[int, set[tuple[int, int]]]:
    """Bytes of the host regions that this process has made, and the device and inode of each."""
    return sum(size for _, size in _created.values()), {key for key, _ in _created.values()}


def create(size: int, device: str, holes: tuple[tuple[int, int], ...] = ()) -> Region:
    """A zeroed region of at least one byte on ``cpu`` or ``cuda``; ``holes`` are closed to who attaches it."""
    size = max(size, 1)
    if device == "cuda":
        return _create_cuda(size)
    fd = os.memfd_create("akgflow", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        # Fails here where there is no memory: a later write would end the process by SIGBUS.
        os.posix_fallocate(fd, 0, size)
    except OSError:
        os.close(fd)
        raise
    # Without the seals a candidate could shrink the file, and the judge would die reading it.
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
    about = os.fstat(fd)
    _created[fd] = ((about.st_dev, about.st_ino), size)
    handle = {"kind": "host", "size": size, "holes": [list(hole) for hole in holes]}
    return _mapped(fd, handle)


def with_holes(region: Region, holes: tuple[tuple[int, int], ...]) -> Region:
    """The same memory of the host, with these ``holes`` for who attaches it."""
    assert region.fd is not None, "only memory of the host has pages that can be closed"
    return Region(
        region.bytes, {**region.handle, "holes": [list(hole) for hole in holes]}, os.dup(region.fd), region.map
    )


def _create_cuda(size: int) -> Region:
    data, handle = cuda_ipc.allocate(size)
    return Region(data, {"kind": "cuda", "size": size, "ipc": handle})


def attach(handle: Mapping[str, Any], fd: int | None) -> Region:
    """The region behind a handle, in another process; takes over ``fd``."""
    if handle["kind"] == "host":
        assert fd is not None
        region = _mapped(fd, handle)
        for start, stop in handle.get("holes", ()):
            libc().mprotect(region.bytes.data_ptr() + start, stop - start, 0)
        return region
    return Region(cuda_ipc.open_handle(handle["ipc"], handle["size"]), handle)


def _mapped(fd: int, handle: Mapping[str, Any]) -> Region:
    found = mmap.mmap(fd, handle["size"])
    return Region(torch.frombuffer(found, dtype=torch.uint8), handle, fd, found)


def span(tensor: torch.Tensor) -> int:
    """Elements of storage from a tensor's first element to its last; 0 for an empty tensor."""
    if tensor.numel() == 0:
        return 0
    return 1 + sum(int((size - 1) * stride) for size, stride in zip(tensor.shape, tensor.stride(), strict=True))


@dataclass(frozen=True)
class Placed:
    """A tensor and the byte offset of its storage's first used element."""

    tensor: torch.Tensor
    offset: int


class Stray(NamedTuple):
    """A write beside a tensor: the tensor's number, how many bytes it went too far, and at which end."""

    number: int
    bytes: int
    past_the_end: bool

    def says(self, name: str) -> str:
        """The stray in words; ``name`` is what the tensor is called."""
        return f"{self.bytes} bytes {'past the end' if self.past_the_end else 'before the start'} of {name}"


@dataclass(frozen=True)
class Layout:
    """Where the tensors of a value are in a region. Offsets and sizes are in bytes."""

    tree: Tree
    """Describes the value."""
    placed: tuple[Placed, ...]
    """Its tensors, in order."""
    size: int
    """Of all tensors with what is between them."""
    margins: tuple[tuple[int, int], ...] = ()
    """For each tensor, where its guard bytes begin and end."""
    holes: tuple[tuple[int, int], ...] = ()
    """Beginning and end of pages at which an access ends the process."""

    def write(self, region: Region, base: int = 0) -> None:
        """Copy every tensor to its place, ``base`` bytes further on, between guard bytes."""
        for _, start, stop in self._guards():
            region.bytes[base + start : base + stop].fill_(GUARD_BYTE)
        for one in self.placed:
            flat(region, one, base).copy_(row(one))

    def write_sparsely(self, region: Region) -> None:
        """The same, but leave zeros for the floats of large values: memory that nobody touches takes none."""
        for one in self.placed:
            if self.size <= _SPARSE_BYTES or not one.tensor.is_floating_point():
                flat(region, one).copy_(row(one))

    def _guards(self) -> Iterator[tuple[int, int, int]]:
        """The number of a tensor, where guard bytes of it begin, and where they end: before it, then after it."""
        for i, (one, (start, stop)) in enumerate(zip(self.placed, self.margins, strict=False)):
            yield i, start, one.offset
            yield i, one.offset + span(one.tensor) * one.tensor.element_size(), stop

    def stray(self, region: Region, base: int = 0) -> Stray | None:
        """The first tensor whose guard bytes are no longer what `write` put there."""
        guards = [one for one in self._guards() if one[1] < one[2]]
        if not guards:
            return None
        together = torch.cat([region.bytes[base + start : base + stop] for _, start, stop in guards])
        if bool((together == GUARD_BYTE).all()):
            return None
        for number, start, stop in guards:
            changed = (region.bytes[base + start : base + stop] != GUARD_BYTE).nonzero()
            if changed.numel():
                past = stop > self.placed[number].offset
                first, last = int(changed[0]), int(changed[-1])
                return Stray(number, last + 1 if past else stop - start - first, past)
        return None

    def hole_at(self, offset: int) -> Stray | None:
        """The tensor beside which an access went, when it met a hole ``offset`` bytes into the region."""
        for number, one in enumerate(self.placed):
            end = one.offset + span(one.tensor) * one.tensor.element_size()
            start, stop = self.margins[number]
            if end <= offset < stop + HOLE:
                return Stray(number, offset - end + 1, True)
            if start - HOLE <= offset < one.offset:
                return Stray(number, one.offset - offset, False)
        return None

    def changed(self, region: Region, base: int = 0) -> list[int]:
        """The numbers of those tensors whose bytes in ``region`` are no longer what `write` put there."""
        return [i for i, one in enumerate(self.placed) if not same_bits(flat(region, one, base), row(one))]


class Slot(NamedTuple):
    """Where a tensor is, in bytes."""

    offset: int
    """Of the tensor."""
    start: int
    """Of the guard bytes before it."""
    stop: int
    """The end of the guard bytes after it."""
    next: int
    """Where the next slot may begin."""


Spacing = Callable[[int, int], Slot]
"""Finds a slot for so many bytes (the second number) from an offset (the first) on."""


def packed(at: int, size: int) -> Slot:
    """One tensor behind the other."""
    end = at + _up(size, ALIGN)
    return Slot(at, at, at + size, end)


def guarded(at: int, size: int) -> Slot:
    """Guard bytes on both sides."""
    end = at + GUARD + _up(size, ALIGN) + GUARD
    return Slot(at + GUARD, at, end, end)


def at_page_end(at: int, size: int) -> Slot:
    """In its own pages between holes, its end as near to the last page's as an alignment of 64 bytes allows."""
    start = _up(at, mmap.PAGESIZE) + HOLE
    stop = start + max(_up(size, mmap.PAGESIZE), mmap.PAGESIZE)
    return Slot(stop - _up(size, VECTOR), start, stop, stop + HOLE)


def _up(size: int, unit: int) -> int:
    return -(-size // unit) * unit


def lay_out(value: Any, spacing: Spacing = packed) -> Layout:
    """Places for all tensors of ``value``, strides kept; raises `TypeError` for what cannot travel."""
    slots, placed = [Slot(0, 0, 0, mmap.PAGESIZE if spacing is at_page_end else 0)], list[Placed]()
    # A recursive function in here would be a reference cycle, and keep the tensors until the collector runs.
    tree = _describe(value, spacing, slots, placed)
    margins = () if spacing is packed else tuple((slot.start, slot.stop) for slot in slots[1:])
    around = [((start - HOLE, start), (stop, stop + HOLE)) for start, stop in margins]
    holes = tuple(hole for pair in around for hole in pair) if spacing is at_page_end else ()
    return Layout(tree, tuple(placed), slots[-1].next, margins, holes)


def _describe(part: Any, spacing: Spacing, slots: list[Slot], placed: list[Placed]) -> Tree:
    """Describes a part of a value; adds its tensors to ``placed`` and their slots to ``slots``."""
    if isinstance(part, torch.Tensor):
        part = part.detach().resolve_conj().resolve_neg()
        slots.append(slot := spacing(slots[-1].next, span(part) * part.element_size()))
        placed.append(Placed(part, slot.offset))
        return {"tensor": tensor_spec(part) | {"offset": slot.offset}}
    if isinstance(part, (list, tuple)):
        kind = "tuple" if isinstance(part, tuple) else "list"
        return {kind: [_describe(item, spacing, slots, placed) for item in part]}
    if isinstance(part, dict):
        kind = "keywords" if isinstance(part, Keywords) else "dict"
        return {kind: {str(key): _describe(item, spacing, slots, placed) for key, item in part.items()}}
    if isinstance(part, torch.dtype):
        return {"dtype": dtype_name(part)}
    if isinstance(part, torch.device):
        return {"device": str(part)}
    if isinstance(part, _SCALARS):
        return {"value": part}
    raise TypeError(f"a {type(part).__name__} cannot be handed to a candidate")


def tensor_spec(tensor: torch.Tensor) -> dict[str, Any]:
    """Shape, stride and dtype as JSON."""
    return {"shape": list(tensor.shape), "stride": list(tensor.stride()), "dtype": dtype_name(tensor.dtype)}


def row(one: Placed) -> torch.Tensor:
    """All elements of a placed tensor's storage from its first to its last, in one row."""
    return one.tensor.as_strided((span(one.tensor),), (1,))


def flat(region: Region, one: Placed, base: int = 0) -> torch.Tensor:
    """The elements of ``region`` that belong to a placed tensor, gaps between its strides included, in one row."""
    length = span(one.tensor) * one.tensor.element_size()
    start = one.offset + base
    return region.bytes[start : start + length].view(one.tensor.dtype)


def fetch(region: Region, one: Placed, base: int = 0) -> torch.Tensor:
    """A packed copy of what now stands in a placed tensor's place."""
    return flat(region, one, base).as_strided(one.tensor.shape, one.tensor.stride()).contiguous().clone()


def same_bits(a: torch.Tensor, b: torch.Tensor) -> bool:
    """True when two tensors of one shape and dtype hold the same bytes (a NaN equals itself)."""
    return bool(torch.equal(a.contiguous().flatten().view(torch.uint8), b.contiguous().flatten().view(torch.uint8)))


def dtype_name(dtype: torch.dtype) -> str:
    """``torch.float32`` → ``float32``."""
    return str(dtype).removeprefix("torch.")


def dtype_of(name: str) -> torch.dtype:
    """``float32`` → ``torch.float32``; raises `ValueError` for anything that is no dtype."""
    found = getattr(torch, name, None)
    if not isinstance(found, torch.dtype):
        raise ValueError(f"{name!r} is not a torch dtype")
    return found


def view(
    region: Region, shape: tuple[int, ...], stride: tuple[int, ...], dtype: torch.dtype, offset: int
) -> torch.Tensor:
    """A view of the region's bytes from ``offset`` on."""
    if 0 in shape:
        return torch.empty(shape, dtype=dtype, device=region.bytes.device)
    length = (1 + sum((n - 1) * s for n, s in zip(shape, stride, strict=True))) * dtype.itemsize
    if region.map is not None and region.handle.get("holes"):
        # Its own storage: code that copies all of a tensor's storage must not meet a hole.
        own = torch.frombuffer(region.map, dtype=torch.uint8, count=length, offset=offset)
        return own.view(dtype).as_strided(shape, stride)
    return region.bytes[offset : offset + length].view(dtype).as_strided(shape, stride)


def rebuild(tree: Tree, region: Region | None, base: int = 0) -> Any:
    """The value that ``tree`` describes. Tensors are views of ``region``; on ``meta`` where there is none."""
    ((kind, part),) = tree.items()
    if kind == "tensor":
        shape, stride, dtype = tuple(part["shape"]), tuple(part["stride"]), dtype_of(part["dtype"])
        if region is None:
            return torch.empty_strided(shape, stride, dtype=dtype, device="meta")
        return view(region, shape, stride, dtype, part["offset"] + base)
    if kind == "list":
        return [rebuild(item, region, base) for item in part]
    if kind == "tuple":
        return tuple(rebuild(item, region, base) for item in part)
    if kind in ("dict", "keywords"):
        made = {key: rebuild(item, region, base) for key, item in part.items()}
        return made if kind == "dict" else Keywords(made)
    if kind == "dtype":
        return dtype_of(part)
    if kind == "device":
        return torch.device(part)
    return part


def identity(tensor: torch.Tensor) -> Identity:
    """The same for two tensors that are the same memory, read alike."""
    return (tensor.untyped_storage().data_ptr(), tensor.storage_offset(), tuple(tensor.shape), tuple(tensor.stride()))


def copied(value: Any) -> Any:
    """``value`` with copies of all its tensors."""
    return map_tensors(value, lambda tensor: tensor.clone())


def storages(inputs: Any) -> set[int]:
    """Where the storages of all tensors in ``inputs`` begin."""
    return {t.untyped_storage().data_ptr() for t in tensors(inputs) if t.device.type != "meta"}


def tensors(value: Any) -> Iterator[torch.Tensor]:
    """All tensors of a nest of lists, tuples and dicts, in order."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors(item)


def map_tensors(value: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """``value`` with every tensor in its lists, tuples and dicts replaced by ``change(tensor)``."""
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, (list, tuple)):
        return type(value)(map_tensors(item, change) for item in value)
    if isinstance(value, dict):
        made = {key: map_tensors(item, change) for key, item in value.items()}
        return Keywords(made) if isinstance(value, Keywords) else made
    return value
