"""Memory of tensors with pages around it that no kernel can touch: a step over its ends is a crash with a name."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from akgflow.base.maps import Span, merged, span_of
from akgflow.base.pages import libc

GUARD = 1 << 18
"""Bytes before and after: an index that is wrong by a block's worth still falls into them."""
ALIGN = 16
"""What kernels that read vectors of four floats rely on."""
POISON = 0xFF


class Bounds(NamedTuple):
    """Addresses: where the guard begins, the memory begins and ends, and the guard ends; and what it is."""

    low: int
    start: int
    end: int
    high: int
    name: str


class Fence:
    """``size`` bytes of memory, with its end (or else its start) at a page that cannot be touched."""

    def __init__(self, size: int, at_end: bool, name: str) -> None:
        page = mmap.PAGESIZE
        inner = -(-(size + ALIGN) // page) * page
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        self._pages = mmap.mmap(-1, inner + 2 * GUARD, flags=flags)
        base = ctypes.addressof(ctypes.c_char.from_buffer(self._pages))
        for guard in (base, base + GUARD + inner):
            libc().mprotect(guard, GUARD, 0)
        start = base + GUARD + ((inner - size) // ALIGN * ALIGN if at_end else 0)
        self.bounds = Bounds(base, start, start + size, base + inner + 2 * GUARD, name)
        self._inner = (base + GUARD, base + GUARD + inner)
        ctypes.memset(base + GUARD, POISON, inner)

    def tensor(self, like: Any, at: int) -> Any:
        """A tensor of type, shape and strides of ``like`` whose first element is ``at`` bytes from the start."""
        import torch

        size = self.bounds.end - self.bounds.start
        offset = self.bounds.start - self.bounds.low
        raw = torch.frombuffer(self._pages, dtype=torch.uint8, count=size, offset=offset)
        made = torch.empty(0, dtype=like.dtype)
        return made.set_(raw.untyped_storage(), at // like.element_size(), like.shape, like.stride())

    def written_outside(self) -> str | None:
        """What was written between the memory and its guards, where that can be touched."""
        inner_start, inner_end = self._inner
        for start, end, where in (
            (inner_start, self.bounds.start, "before the start"),
            (self.bounds.end, inner_end, "past the end"),
        ):
            if ctypes.string_at(start, end - start).count(POISON) != end - start:
                return f"writes {where} of {self.bounds.name}"
        return None


class Fenced:
    """Arguments of a call with copies of their tensors behind fences; tensors that overlap share one."""

    def __init__(self, args: Sequence[Any], at_end: bool) -> None:
        self._originals = [(name, tensor) for name, tensor in named_tensors(args) if tensor.numel()]
        spans = merged([_span(name, tensor) for name, tensor in self._originals])
        self._fences = [(span, Fence(span.end - span.start, at_end, span.name)) for span in spans]
        for span, fence in self._fences:
            ctypes.memmove(fence.bounds.start, span.start, span.end - span.start)
        self.args = [self._copied(arg) for arg in args]

    @property
    def fences(self) -> list[Fence]:
        return [fence for _, fence in self._fences]

    def _copied(self, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return type(value)(self._copied(one) for one in value)
        if not _is_tensor(value) or not value.numel():
            return value
        span, fence = self._holder(value.data_ptr())
        return fence.tensor(value, value.data_ptr() - span.start)

    def _holder(self, address: int) -> tuple[Span, Fence]:
        return next((span, fence) for span, fence in self._fences if span.start <= address < span.end)

    def tensors(self) -> list[tuple[str, Any]]:
        """The copies, by the names of their arguments."""
        return [(name, tensor) for name, tensor in named_tensors(self.args) if tensor.numel()]

    def give_back(self) -> None:
        """Make the originals hold what the copies hold."""
        for span, fence in self._fences:
            ctypes.memmove(span.start, fence.bounds.start, span.end - span.start)

    def restored(self, result: Any) -> Any:
        """``result`` with copies of arguments, and views of them, as the arguments themselves."""
        if isinstance(result, list | tuple):
            return type(result)(self.restored(one) for one in result)
        if not _is_tensor(result) or not result.numel():
            return result
        for span, fence in self._fences:
            inside = result.data_ptr() - fence.bounds.start
            if 0 <= inside < span.end - span.start:
                return self._original(result, span.start + inside)
        return result

    def _original(self, result: Any, address: int) -> Any:
        for _, tensor in self._originals:
            if (tensor.data_ptr(), tensor.shape, tensor.stride()) == (address, result.shape, result.stride()):
                return tensor
        base = next(t for _, t in self._originals if (s := _span("", t)).start <= address < s.end)
        moved = (address - base.data_ptr()) // base.element_size()
        return base.as_strided(result.shape, result.stride(), base.storage_offset() + moved)


def fenced(tensor: Any, name: str, *, empty: bool) -> tuple[Any, Fence]:
    """A tensor's copy behind a fence, for one that host code makes; an empty one holds poison."""
    span = _span(name, tensor)
    fence = Fence(span.end - span.start, True, span.name)
    if not empty:
        ctypes.memmove(fence.bounds.start, span.start, span.end - span.start)
    return fence.tensor(tensor, tensor.data_ptr() - span.start), fence


def _is_tensor(value: Any) -> bool:
    return hasattr(value, "data_ptr")


def named_tensors(args: Sequence[Any], prefix: str = "argument ") -> Iterator[tuple[str, Any]]:
    """The tensors among ``args``, in lists as well, each with its place."""
    for place, value in enumerate(args):
        name = f"{prefix}{place + 1}" if prefix.endswith(" ") else f"{prefix}[{place}]"
        if isinstance(value, list | tuple):
            yield from named_tensors(value, name)
        elif _is_tensor(value):
            yield name, value


def described(tensor: Any) -> str:
    """``float32 [13, 77]``"""
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"


def _span(name: str, tensor: Any) -> Span:
    return span_of(tensor, f"{name} ({described(tensor)})")
