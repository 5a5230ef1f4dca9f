"""Reductions and scans with any function: whole halves at a time, in the order of a tree.

The interpreter calls the function for each element, in a loop; and takes sums and maxima by numpy, which skips NaN
where the device's arg-maximum does not, and fails on rows of NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import triton.language as tl
from triton.runtime import interpreter

from akgflow.toolchains.common.patching import Changes

Combine = Callable[..., Any]


def _tensor(data: Any, kind: Any) -> Any:
    """An array (or a number) as the interpreter's tensor of element type ``kind``."""
    data = np.asarray(data)
    if data.ndim == 0:
        return tl.tensor(interpreter.TensorHandle(data.reshape(1), kind), kind)
    return tl.tensor(interpreter.TensorHandle(data, kind), tl.block_type(kind, list(data.shape)))


def _arrays(results: Any, kinds: list[Any], shape: tuple[int, ...]) -> list[Any]:
    """What a combining function gave, as arrays of ``shape`` in the inputs' types."""
    parts = results if isinstance(results, tuple) else (results,)
    found = []
    for part, kind in zip(parts, kinds, strict=True):
        value = interpreter.interpreter_semantic.to_tensor(part)
        if value.dtype != kind:
            value = interpreter.interpreter_semantic.cast(value, kind)
        found.append(np.broadcast_to(value.handle.data, shape))
    return found


def _combined(function: Combine, left: list[Any], right: list[Any], kinds: list[Any]) -> list[Any]:
    tensors = [_tensor(data, kind) for side in (left, right) for data, kind in zip(side, kinds, strict=True)]
    return _arrays(function(*tensors), kinds, left[0].shape)


def reduced(function: Combine, arrays: list[Any], kinds: list[Any]) -> list[Any]:
    """Arrays without their last axis: neighbours are combined, then neighbouring pairs, and so on."""
    while (length := arrays[0].shape[-1]) > 1:
        even = length - length % 2
        pairs = _combined(function, [a[..., 0:even:2] for a in arrays], [a[..., 1:even:2] for a in arrays], kinds)
        rest = [a[..., even:] for a in arrays]
        arrays = [np.concatenate(both, axis=-1) for both in zip(pairs, rest, strict=True)] if length % 2 else pairs
    return [a[..., 0] for a in arrays]


def scanned(function: Combine, arrays: list[Any], kinds: list[Any]) -> list[Any]:
    """Inclusive scans along the last axis, in steps of twice the distance (Hillis and Steele 1986)."""
    distance, length = 1, arrays[0].shape[-1]
    while distance < length:
        # Tensors keep their length, a power of two; what wraps around is not used.
        left = [np.roll(a, distance, axis=-1) for a in arrays]
        later = _combined(function, left, arrays, kinds)
        first = np.arange(length) < distance
        arrays = [np.where(first, a, b) for a, b in zip(arrays, later, strict=True)]
        distance *= 2
    return arrays


def changes(function_of: Callable[[Any], Combine]) -> Changes:
    """``function_of`` gives the Python form of a combining function."""
    sum_of = tl.standard._sum_combine

    def reduce_impl(self: Any, inputs: Any) -> Any:
        inputs = inputs if isinstance(inputs, tuple) else (inputs,)
        kinds = [one.dtype for one in inputs]
        arrays, axis = [one.handle.data for one in inputs], self.axis
        shape = arrays[0].shape
        if axis is None:
            arrays, axis = [a.reshape(-1) for a in arrays], 0
        if self.combine_fn is sum_of and kinds[0] != tl.bfloat16:
            found = [np.sum(arrays[0], axis=axis, dtype=arrays[0].dtype)]
        else:
            found = reduced(function_of(self.combine_fn), [np.moveaxis(a, axis, -1) for a in arrays], kinds)
        if self.keep_dims:
            ones = (1,) * len(shape)
            found = [np.expand_dims(a, axis) if self.axis is not None else np.reshape(a, ones) for a in found]
        return [_tensor(a, kind) for a, kind in zip(found, kinds, strict=True)]

    def scan_impl(self: Any, inputs: Any) -> Any:
        inputs = inputs if isinstance(inputs, tuple) else (inputs,)
        kinds = [one.dtype for one in inputs]
        arrays = [np.moveaxis(one.handle.data, self.axis, -1) for one in inputs]
        arrays = [a[..., ::-1] for a in arrays] if self.reverse else arrays
        found = scanned(function_of(self.combine_fn), arrays, kinds)
        found = [a[..., ::-1] for a in found] if self.reverse else found
        moved = [np.ascontiguousarray(np.moveaxis(a, -1, self.axis)) for a in found]
        return [_tensor(a, kind) for a, kind in zip(moved, kinds, strict=True)]

    return [(interpreter.ReduceOps, "apply_impl", reduce_impl), (interpreter.ScanOps, "apply_impl", scan_impl)]
