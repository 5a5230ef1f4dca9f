"""What a process has mapped into its memory, as Linux lists it in ``/proc/PID/maps`` (proc_pid_maps(5)), and where
tensors are in it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple


class Mapping(NamedTuple):
    """One range of addresses, from ``start`` to before ``end``."""

    start: int
    end: int
    permissions: str
    """``r-xp``: readable, writable, executable, private or shared."""
    offset: int
    """Of ``start`` in the file."""
    device: int
    """As `os.stat` gives it."""
    inode: int
    file: str
    """The file's path, in which a line break is ``\\012``; or a name such as ``[heap]``, or nothing."""

    @property
    def is_code(self) -> bool:
        """True for a file's code that can be executed."""
        return "x" in self.permissions and self.file.startswith("/")


def mappings(pid: int | str = "self") -> Iterator[Mapping]:
    """The mappings of a process in order of address. Raises `OSError`.

    Read as bytes: a file's name may hold any of the characters that `str.splitlines` splits at.
    """
    with open(f"/proc/{pid}/maps", "rb") as lines:
        # All at once: the caller may map memory between two of them.
        found = lines.read().split(b"\n")
    for line in filter(None, found):
        place, permissions, offset, device, inode, *name = line.split(maxsplit=5)
        start, end = (int(part, 16) for part in place.split(b"-"))
        major, minor = (int(part, 16) for part in device.split(b":"))
        file = os.fsdecode(name[0]) if name else ""
        yield Mapping(start, end, permissions.decode(), int(offset, 16), os.makedev(major, minor), int(inode), file)


class Span(NamedTuple):
    """Memory that some tensors share, from ``start`` to ``end``; ``name`` is that of the first of them."""

    start: int
    end: int
    name: str


def span_of(tensor: Any, name: str = "") -> Span:
    """Where a tensor's elements are. A view with gaps may be one of several in them, whose kernel gets one address."""
    size, start = tensor.element_size(), tensor.data_ptr()
    last = sum((n - 1) * stride for n, stride in zip(tensor.shape, tensor.stride(), strict=True))
    end = start + (last + 1) * size
    if not tensor.is_contiguous() and tensor.dim():
        storage = tensor.untyped_storage()
        row = max(tensor.stride()) * size
        start = max(storage.data_ptr(), start - row)
        end = min(storage.data_ptr() + storage.nbytes(), end + row)
    return Span(start, end, name)


def merged(spans: Sequence[Span]) -> list[Span]:
    """Those that overlap as one."""
    found: list[Span] = []
    for span in sorted(spans):
        if found and span.start < found[-1].end:
            found[-1] = found[-1]._replace(end=max(found[-1].end, span.end))
        else:
            found.append(span)
    return found
