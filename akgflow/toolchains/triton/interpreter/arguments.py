"""A launch's arguments as the interpreter's tensors, of the types that the compiler gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import triton.language as tl
from triton.runtime import interpreter
from triton.tools.tensor_descriptor import TensorDescriptor

from akgflow.toolchains.base import Unsupported
from akgflow.toolchains.triton.interpreter.memory import Memory

Spans = list[tuple[int, int]]
"""First address and bytes of independent tensors that share one storage."""


def extent(tensor: torch.Tensor, spans: Spans) -> tuple[int, int]:
    """First address and bytes of the memory that a tensor is in: one of ``spans``, else its storage."""
    address = tensor.data_ptr()
    for start, size in spans:
        if start <= address < start + size:
            return start, size
    storage = tensor.untyped_storage()
    return storage.data_ptr(), storage.nbytes()


class Arguments:
    """Turns host values into tensors; pointers get addresses of ``memory``."""

    def __init__(self, memory: Memory, spans: Spans) -> None:
        self._memory, self._spans = memory, spans

    def all(self, values: Mapping[str, Any], types: Mapping[str, Any]) -> dict[str, Any]:
        """Each argument by name."""
        return {name: self._one(name, value, types[name]) for name, value in values.items()}

    def _one(self, name: str, value: Any, kind: Any) -> Any:
        if kind == "constexpr" or value is None:
            return value
        if isinstance(value, tuple):
            kinds = kind if isinstance(kind, (tuple, list)) else [kind] * len(value)
            parts = [self._one(f"{name}[{i}]", v, k) for i, (v, k) in enumerate(zip(value, kinds, strict=True))]
            return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
        if isinstance(value, TensorDescriptor):
            return self._descriptor(name, value)
        if hasattr(value, "data_ptr"):
            return self._pointer(name, value, kind)
        if isinstance(value, (bool, int, float)):
            return self._number(value, tl.str_to_ty(kind, None))
        raise Unsupported(f"argument {name} is a {type(value).__name__}, which akgflow cannot give to the interpreter")

    def _number(self, value: float, kind: Any) -> Any:
        array = np.array([value]).astype(np.float32 if kind == tl.bfloat16 else interpreter._get_np_dtype(kind))
        if kind == tl.bfloat16:
            return interpreter.interpreter_semantic.cast(self._number(value, tl.float32), kind)
        return tl.tensor(interpreter.TensorHandle(array, kind), kind)

    def _pointer(self, name: str, value: Any, kind: str) -> Any:
        base = getattr(value, "base", value) if not isinstance(value, torch.Tensor) else value
        if not isinstance(base, torch.Tensor):
            raise Unsupported(f"argument {name} is a {type(value).__name__}: how much memory it has is not known")
        element = tl.str_to_ty(kind, None)
        address = base.data_ptr()
        start, size = extent(base, self._spans)
        virtual = self._memory.virtual(address, start, size)
        form = f"{str(base.dtype).removeprefix('torch.')}[{', '.join(map(str, base.shape))}]"
        self._memory.name(address, start, name, form)
        handle = interpreter.TensorHandle(np.array([virtual], dtype=np.uint64), element)
        return tl.tensor(handle, element)

    def _descriptor(self, name: str, value: Any) -> Any:
        kind = "*" + _element_name(value.base.dtype)
        numbers = [self._number(int(n), tl.int64 if int(n) >= 1 << 31 else tl.int32) for n in value.shape]
        strides = [self._number(int(n), tl.int64) for n in value.strides[:-1]]
        made = interpreter.interpreter_semantic.make_tensor_descriptor(
            base=self._pointer(name, value.base, kind),
            shape=numbers,
            strides=[*strides, tl.constexpr(1)],
            block_shape=[tl.constexpr(n) for n in value.block_shape],
            padding_option=value.padding,
        )
        if getattr(value, "round_f32_to_tf32", False):
            made.handle.round_f32_to_tf32 = True
        return made


def _element_name(dtype: Any) -> str:
    """Triton's name for a torch dtype, as in a signature: ``fp16``, ``fp8e4nv``, ``i32``."""
    from triton.runtime.jit import mangle_type

    return str(mangle_type(torch.empty(0, dtype=dtype))).lstrip("*k")
