"""Where tensors are in memory, and which of them share some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


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
