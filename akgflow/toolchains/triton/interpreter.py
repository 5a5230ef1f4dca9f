"""What Triton's interpreter gets wrong, mended: bf16 arithmetic, and TF32 where the target would use it.

The interpreter keeps bf16 as the upper 16 bits of a float32 in a ``uint16`` and then adds and compares those as
integers. Here every operation on bf16 widens to float32, computes, and rounds once to nearest even. A float32
``tl.dot`` whose precision is ``tf32`` reads its operands as tensor cores do: with 10 bits of mantissa.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from akgflow.toolchains.common.patching import patched

Changes = list[tuple[Any, str, Any]]


def _widen(bits: Any) -> Any:
    """bf16 bits (uint16 array) as float32."""
    import numpy as np

    return (np.asarray(bits).astype(np.uint32) << 16).view(np.float32)


def _narrow(values: Any) -> Any:
    """float32 values as bf16 bits (uint16), to nearest, ties to even; NaN stays NaN."""
    import numpy as np

    exact = np.ascontiguousarray(values, dtype=np.float32)
    bits = exact.view(np.uint32).astype(np.uint64)
    rounded = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return np.where(np.isnan(exact), np.uint16(0x7FC0), rounded).reshape(np.shape(values))


def _as_tf32(values: Any) -> Any:
    """float32 with the low 13 bits of the mantissa ignored."""
    import numpy as np

    return (np.ascontiguousarray(values).view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32)


def mended(target: Any) -> Any:
    """A context in which the interpreter computes bf16 rightly, and dots as precisely as Triton's ``target`` does.

    Which precisions there are, and which one a dot gets that names none, is asked of Triton's backend for it.
    """
    from triton.compiler.compiler import make_backend
    from triton.runtime import interpreter

    options = interpreter.interpreter_builder.options
    if target.backend != "cpu":
        theirs = make_backend(target).parse_options({})
        names = ("default_dot_input_precision", "allowed_dot_input_precisions")
        options = dataclasses.replace(options, **{name: getattr(theirs, name) for name in names})
    return patched(
        *_arithmetic(interpreter),
        *_casts(interpreter),
        *_products(interpreter, rounding=target.backend != "cpu"),
        *_reductions(interpreter),
        *_absent_before_3_9(interpreter),
        (interpreter.interpreter_builder, "options", options),
    )


def _is_bf16(handle: Any) -> bool:
    import triton.language as tl

    return bool(getattr(getattr(handle, "dtype", None), "scalar", None) == tl.bfloat16)


def _up(handle: Any) -> Any:
    import triton.language as tl

    return type(handle)(_widen(handle.data), tl.float32) if _is_bf16(handle) else handle


def _down(handle: Any) -> Any:
    import numpy as np
    import triton.language as tl

    if np.asarray(handle.data).dtype != np.float32:
        return handle
    return type(handle)(_narrow(handle.data), tl.bfloat16)


def _through_float32(original: Callable[..., Any]) -> Callable[..., Any]:
    """``original`` on handles: with a bf16 among them it computes in float32, and gives bf16 where it gave float32."""

    def operation(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not any(_is_bf16(arg) for arg in args):
            return original(self, *args, **kwargs)
        return _down(original(self, *(_up(arg) for arg in args), **kwargs))

    return operation


def _arithmetic(interpreter: Any) -> Changes:
    builder = interpreter.InterpreterBuilder
    names = ["binary_op", "unary_op", "ternary_op", "create_fma", "create_erf", "create_rsqrt"]
    changes = [(builder, name, _through_float32(getattr(builder, name))) for name in names if hasattr(builder, name)]

    atomic = builder.create_atomic_rmw

    def create_atomic_rmw(self: Any, op: Any, ptr: Any, value: Any, *rest: Any) -> Any:
        if _is_bf16(value):
            raise NotImplementedError("atomics on bfloat16 are not covered by Triton's interpreter: use float32")
        return atomic(self, op, ptr, value, *rest)

    return [*changes, (builder, "create_atomic_rmw", create_atomic_rmw)]


def _casts(interpreter: Any) -> Changes:
    """Conversions that have bf16 on one side go through float32, rounded to nearest even unless it says otherwise."""
    import triton.language as tl

    builder, handle = interpreter.InterpreterBuilder, interpreter.TensorHandle
    cast, convert = builder.cast_impl, builder.create_fp_to_fp

    def cast_impl(self: Any, src: Any, dst_type: Any) -> Any:
        target = dst_type.scalar
        if _is_bf16(src):
            return src if target == tl.bfloat16 else cast_impl(self, _up(src), dst_type)
        if target != tl.bfloat16:
            return cast(self, src, dst_type)
        return handle(_narrow(cast(self, src, tl.float32).data), tl.bfloat16)

    def create_fp_to_fp(self: Any, src: Any, dst_type: Any, rounding_mode: Any) -> Any:
        bf16_with_wide = _is_bf16(src) or dst_type.scalar == tl.bfloat16
        bits = min(src.dtype.scalar.primitive_bitwidth, dst_type.scalar.primitive_bitwidth)
        toward_zero = rounding_mode == interpreter._ir.ROUNDING_MODE.RTZ
        if bf16_with_wide and bits >= 16 and not toward_zero:
            return cast_impl(self, src, dst_type)
        return convert(self, src, dst_type, rounding_mode)

    return [(builder, "cast_impl", cast_impl), (builder, "create_fp_to_fp", create_fp_to_fp)]


def _products(interpreter: Any, rounding: bool) -> Changes:
    import numpy as np

    builder, handle = interpreter.InterpreterBuilder, interpreter.TensorHandle
    dot = builder.create_dot
    tf32 = interpreter._ir.INPUT_PRECISION.TF32

    def create_dot(self: Any, a: Any, b: Any, d: Any, input_precision: Any, *rest: Any) -> Any:
        a, b = _up(a), _up(b)
        if rounding and input_precision == tf32 and a.data.dtype == np.float32 and b.data.dtype == np.float32:
            # Widened bf16 has fewer bits than TF32 keeps: it passes through unchanged.
            a, b = handle(_as_tf32(a.data), a.dtype), handle(_as_tf32(b.data), b.dtype)
        if not _is_bf16(d):
            return dot(self, a, b, d, input_precision, *rest)
        return _down(dot(self, a, b, _up(d), input_precision, *rest))

    return [(builder, "create_dot", create_dot)]


def _reductions(interpreter: Any) -> Changes:
    import triton.language as tl

    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def apply_impl(self: Any, inputs: Any) -> Any:
            single = not isinstance(inputs, tuple)
            given = (inputs,) if single else inputs
            narrow = [_is_bf16(x.handle) for x in given]
            if not any(narrow):
                return original(self, inputs)
            wide = tuple(
                self.to_tensor(_widen(x.handle.data), tl.float32) if is_narrow else x
                for x, is_narrow in zip(given, narrow, strict=True)
            )
            results = original(self, wide[0] if single else wide)
            several = isinstance(results, tuple | list)
            # An argmax gives one index beside its value: only float32 results go back to bf16.
            back = [
                _bf16_tensor(x) if x.dtype.scalar == tl.float32 and any(narrow) else x
                for x in (results if several else [results])
            ]
            return type(results)(back) if several else back[0]

        return apply_impl

    return [(owner, "apply_impl", wrap(owner.apply_impl)) for owner in (interpreter.ReduceOps, interpreter.ScanOps)]


def _bf16_tensor(wide: Any) -> Any:
    """A float32 interpreter tensor rounded to bf16, with the same shape."""
    import triton.language as tl

    kind = tl.block_type(tl.bfloat16, list(wide.shape)) if wide.type.is_block() else tl.bfloat16
    return tl.core.tensor(type(wide.handle)(_narrow(wide.handle.data), tl.bfloat16), kind)


def _absent_before_3_9(interpreter: Any) -> Changes:
    """What older interpreters lack: bf16 constants, and scalars as loop bounds with a recent numpy."""
    import numpy as np
    import triton.language as tl

    if hasattr(interpreter.InterpreterBuilder, "get_bf16"):
        return []
    patch_tensor = interpreter._patch_lang_tensor

    def get_bf16(_: Any, value: float) -> Any:
        return interpreter.TensorHandle(_narrow(np.array([value], dtype=np.float32)), tl.bfloat16)

    def patch_lang_tensor(tensor: Any, *scope: Any) -> None:
        patch_tensor(tensor, *scope)
        tensor.__index__ = lambda self: int(self.handle.data.item())

    return [
        (interpreter.InterpreterBuilder, "get_bf16", get_bf16),
        (interpreter, "_patch_lang_tensor", patch_lang_tensor),
    ]
