"""Judges outputs that are indices (argmax, top-k, sort, …) by the values that they select.

`Trace` recognises them in the operator itself: it follows the indices that a selecting operation returns through the
operations that only move them. Of equal values, and of values nearer to each other than a sound kernel's error, either
index may be given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from akgflow.verification.reference.tracing.op_count import Tracer, arguments_of, results_of
from akgflow.verification.shared.memory import Identity, identity

_ALONG_A_DIMENSION = {
    "aten::argmax": 0,
    "aten::argmin": 0,
    "aten::max": 1,
    "aten::min": 1,
    "aten::cummax": 1,
    "aten::cummin": 1,
    "aten::topk": 1,
    "aten::sort": 1,
    "aten::kthvalue": 1,
    "aten::median": 1,
    "aten::nanmedian": 1,
    "aten::mode": 1,
}
"""Operations that select along ``dim``, and which of their results the indices are."""
_DISTINCT = {"aten::topk", "aten::sort"}
"""Those that name no element of a row twice; a window's maximum may be its neighbour's, and a running one stays."""
_IN_A_PLANE = {
    "aten::max_pool2d_with_indices": 2,
    "aten::max_pool3d_with_indices": 3,
    "aten::adaptive_max_pool2d": 2,
    "aten::adaptive_max_pool3d": 3,
    "aten::fractional_max_pool2d": 2,
    "aten::fractional_max_pool3d": 3,
}
"""Poolings, and how many trailing dimensions an index counts through."""
_MOVES = {f"aten::{name}" for name in (
    "view", "_unsafe_view", "reshape", "squeeze", "unsqueeze", "transpose", "permute", "t", "slice", "select", "expand",
    "clone", "contiguous", "alias", "detach", "split", "split_with_sizes", "unbind", "chunk", "narrow", "flip",
    "index_select", "_to_copy", "unsafe_split", "unsafe_split_with_sizes", "unsafe_chunk",
)}  # fmt: skip
_SEVERAL_ROUNDINGS = {f"aten::{name}" for name in (
    "_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_flash_attention", "mkldnn_rnn_layer",
    "_scaled_dot_product_efficient_attention", "_scaled_dot_product_cudnn_attention", "_cudnn_rnn",
    "_scaled_dot_product_fused_attention_overrideable", "_flash_attention_forward", "_thnn_fused_gru_cell",
    "_thnn_fused_lstm_cell",
)}  # fmt: skip
"""Operations whose kernels round what they keep in between, though they are one."""
RANGE_BOUND = {"aten::binary_cross_entropy", "aten::bernoulli", "aten::multinomial", "aten::_assert_async"}
"""Operations that stop the device when a value is out of their range."""

_EXACT = """
    eq ne lt le gt ge isnan isinf isfinite logical_and logical_or logical_xor logical_not bitwise_and bitwise_or
    bitwise_xor bitwise_not bitwise_left_shift bitwise_right_shift sign sgn signbit abs neg floor ceil round trunc
    clamp clamp_min clamp_max index gather take embedding roll repeat tril triu maximum minimum amax amin aminmax
    relu where masked_fill searchsorted bucketize any all nonzero stack cat lift_fresh _local_scalar_dense arange
    zeros ones full empty empty_like zeros_like ones_like full_like fill fill_ copy_ unbind select_backward
    slice_backward count_nonzero scalar_tensor
"""
EXACT = frozenset(f"aten::{name}" for name in _EXACT.split()) | _MOVES | _ALONG_A_DIMENSION.keys() | _IN_A_PLANE.keys()
"""Operations that round nothing: where there are no others, no element depends on roundoff."""


class Pick(NamedTuple):
    """How an index tensor reads: element ``i`` names position ``base[i] + stride * index[i]`` of a flattened source."""

    source: int
    """The number of the source in the trace."""
    base: torch.Tensor
    """Of the index tensor's shape."""
    stride: int
    size: int
    """An index is in ``range(size)``."""
    distinct: bool
    """No position is named twice, unless the oracle does."""
    stable: bool = False
    """Equal values keep their order."""


class Trace(Tracer):
    """Traces a forward: the names of its operations, and the tensors that were selected from."""

    def __init__(self, inputs: Iterator[torch.Tensor] | None = None) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.truncates = False
        self.roundings = 0
        self.sources: list[torch.Tensor] = []
        self.given: list[bool] = []
        self._inputs = {t.untyped_storage().data_ptr() for t in inputs or ()}
        self._picks: dict[Identity, Pick] = {}
        self._unrounded: dict[Identity, torch.Tensor] = {}
        # Storage that is freed could be given to another tensor, which would then be taken for the first.
        self._alive: list[torch.Tensor] = []

    def note(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        name = func._schema.name
        self.names.add(name)
        self._count_roundings(name, args, result)
        given = arguments_of(func, args, kwargs)
        if name in _ALONG_A_DIMENSION:
            self._along(given, result, _ALONG_A_DIMENSION[name], name in _DISTINCT)
        elif name in _IN_A_PLANE and isinstance(result, tuple):
            self._plane(given["self"], result[1], _IN_A_PLANE[name])
        elif name in _MOVES:
            self._move(func, args, kwargs, result)
            self._follow(func, args, kwargs, result)
        elif func._schema.is_mutable and args and isinstance(args[0], torch.Tensor):
            self._unrounded.pop(identity(args[0]), None)

    def unrounded(self, tensor: torch.Tensor) -> torch.Tensor:
        """What an output was before a conversion to a narrower dtype, the last thing done to it; else itself."""
        return self._unrounded.get(identity(tensor), tensor)

    def _count_roundings(self, name: str, args: Any, result: Any) -> None:
        """Results below float32 that are no copies of what was there already."""
        if name in _SEVERAL_ROUNDINGS:
            self.roundings += 2
            return
        narrow = [t for t in results_of(result) if isinstance(t, torch.Tensor) and _bits(t) < 32]
        given = min((_bits(t) for t in args if isinstance(t, torch.Tensor)), default=64)
        if narrow and (name not in EXACT or given > _bits(narrow[0])):
            self.roundings += 1

    def _follow(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        """Keep what a conversion to a narrower dtype was made of, through whatever moves its result about."""
        moved = args[0] if args and isinstance(args[0], torch.Tensor) else None
        if moved is None or not isinstance(result, torch.Tensor) or not result.is_floating_point():
            return
        known = self._unrounded.get(identity(moved))
        if func._schema.name != "aten::_to_copy":
            wide = None if known is None else func(known, *args[1:], **kwargs)
        else:
            wide = moved if known is None and _bits(result) < _bits(moved) < 128 else None
        if wide is not None:
            self._alive.append(result)
            self._unrounded[identity(result)] = wide

    def pick_of(self, tensor: torch.Tensor) -> Pick | None:
        """How to read an output, when it is an index that was followed."""
        return self._picks.get(identity(tensor))

    def _along(self, given: dict[str, Any], result: Any, place: int, distinct: bool) -> None:
        source, dim = given["self"], given.get("dim")
        if place and not isinstance(result, tuple):
            return
        index = result[place] if isinstance(result, tuple) else result
        if dim is None or source.dim() == 0:
            base, stride, size = torch.zeros_like(index, dtype=torch.int64), 1, source.numel()
        else:
            dim %= source.dim()
            positions = torch.arange(source.numel(), device=index.device).reshape(source.shape)
            first = positions.narrow(dim, 0, 1)
            base = (first if index.dim() == source.dim() else first.squeeze(dim)).expand(index.shape)
            stride, size = int(positions.stride(dim)), int(source.shape[dim])
        self._track(index, Pick(self._add(source), base, stride, size, distinct, given.get("stable") is True))

    def _plane(self, source: torch.Tensor, index: torch.Tensor, dims: int) -> None:
        planes, size = source.shape[:-dims], 1
        for length in source.shape[-dims:]:
            size *= int(length)
        count = source.numel() // max(1, size)
        base = torch.arange(count, device=index.device) * size
        base = base.reshape(*planes, *[1] * dims).expand(index.shape)
        self._track(index, Pick(self._add(source), base, 1, size, distinct=False))

    def _move(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        moved = args[0] if args and isinstance(args[0], torch.Tensor) else None
        if moved is None:
            return
        if moved.is_floating_point() and _is_whole(result):
            self.truncates = True
        found = self._picks.get(identity(moved))
        if found is None:
            return
        if func._schema.name == "aten::_to_copy":
            if _is_whole(result):
                self._track(result, found)
            return
        bases = func(found.base.reshape(moved.shape), *args[1:], **kwargs)
        if isinstance(result, torch.Tensor):
            result, bases = [result], [bases]
        for one, base in zip(result, bases, strict=True):
            self._track(one, found._replace(base=base))

    def _add(self, source: torch.Tensor) -> int:
        self.given.append(source.untyped_storage().data_ptr() in self._inputs)
        self.sources.append(source.detach().clone(memory_format=torch.contiguous_format))
        return len(self.sources) - 1

    def _track(self, index: torch.Tensor, pick: Pick) -> None:
        self._alive.append(index)
        self._picks[identity(index)] = pick


def _bits(tensor: torch.Tensor) -> int:
    """Bits of a floating dtype; more than any has for what is none."""
    return 8 * tensor.element_size() if tensor.is_floating_point() else 128


def _is_whole(value: Any) -> bool:
    return (
        isinstance(value, torch.Tensor)
        and not (value.is_floating_point() or value.is_complex())
        and (value.dtype != torch.bool)
    )


@dataclass(frozen=True)
class Selection:
    """What an index output selects from. ``base``, ``stride``, ``size`` and ``distinct`` are those of `Pick`."""

    values: torch.Tensor
    """The source's, flattened, in float64."""
    allowed: torch.Tensor
    """The bound on each value's error, of the same shape."""
    base: torch.Tensor
    stride: int
    size: int
    index: torch.Tensor
    """The oracle's."""
    distinct: bool

    def judge(self, got: torch.Tensor, tolerance: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """For each index the error of the value that it selects, its bound, and whether it is right."""
        index = got.long()
        inside = (index >= 0) & (index < self.size)
        at = self.base + index.clamp(0, max(0, self.size - 1)) * self.stride
        right = self.base + self.index.long() * self.stride
        have, want = self.values[at], self.values[right]
        error = torch.where(have == want, 0.0, (have - want).abs())
        bound = tolerance * (self.allowed[at] + self.allowed[right])
        good = (error <= bound) | (torch.isnan(have) & torch.isnan(want))
        good &= inside
        if self.distinct:
            good &= ~(_repeated(at) & ~_repeated(right))
        return torch.where(inside, error, torch.inf), bound, good

    def say(self, got: torch.Tensor, place: tuple[int, ...]) -> str:
        """Why the index at ``place`` is wrong."""
        have, want = int(got[place]), int(self.index[place])
        if not 0 <= have < self.size:
            return f"index {have} is out of range, there are {self.size}"
        base = int(self.base[place])
        one, other = (float(self.values[base + self.stride * index]) for index in (have, want))
        twice = self.distinct and bool(_repeated(self.base + got.long() * self.stride)[place])
        more = " and is named more than once" if twice else ""
        return f"index {have} selects {one:.7g}{more}; the right one ({want}) selects {other:.7g}"


def _repeated(positions: torch.Tensor) -> torch.Tensor:
    """Marks the positions that occur more than once."""
    if positions.numel() == 0:
        return torch.zeros_like(positions, dtype=torch.bool)
    _, inverse, counts = torch.unique(positions, return_inverse=True, return_counts=True)
    return counts[inverse] > 1
