"""Corrects numbers in Triton's interpreter: bf16, 8-bit floats, booleans, and TF32 where the target would use it.

The interpreter keeps bf16 as the upper 16 bits of a float32 in a ``uint16`` and then adds and compares those as
integers. Here every operation on bf16 widens to float32, computes, and rounds once to nearest even. A float32
``tl.dot`` whose precision is ``tf32`` reads its operands as tensor cores do: with 10 bits of mantissa. With ``tf32x3``,
``bf16x3`` and ``bf16x6`` it adds up products of parts, as Triton's pass F32DotTC makes them: 22, 16 and 24 bits. Up to
3.9 a comparison has the type of what it compares, so that a scalar in a mask makes the mask a number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from akgflow.toolchains.common.patching import Changes
from akgflow.toolchains.triton.interpreter import fp8


def widen(bits: Any) -> Any:
    """bf16 bits (uint16 array) as float32."""
    import numpy as np

    return (np.asarray(bits).astype(np.uint32) << 16).view(np.float32)


def narrow(values: Any) -> Any:
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


def _nearest_tf32(values: Any) -> Any:
    """float32 to 10 bits of mantissa, to nearest and ties away from zero (``cvt.rna.tf32.f32`` of PTX)."""
    import numpy as np

    bits = np.ascontiguousarray(values).view(np.uint32)
    rounded = ((bits + np.uint32(0x1000)) & np.uint32(0xFFFFE000)).view(np.float32)
    return np.where(np.isfinite(values), rounded, values)


def _through_bf16(values: Any) -> Any:
    return widen(narrow(values))


TERMS = {
    "TF32x3": ((1, 0), (0, 1), (0, 0)),
    "BF16x3": ((1, 0), (0, 1), (0, 0)),
    "BF16x6": ((1, 1), (2, 0), (0, 2), (1, 0), (0, 1), (0, 0)),
}
"""By the precision of a dot, which parts of its operands are multiplied, the smallest first; part 0 is the largest."""


def _split(values: Any, precision: str) -> list[Any]:
    """A float32 operand in the parts that tensor cores multiply. What is not finite stays in the first one."""
    import numpy as np

    # What is left of TF32 is read by tensor cores as it is.
    roundings = (_nearest_tf32, _as_tf32) if precision == "TF32x3" else (_through_bf16,) * 3
    parts: list[Any] = []
    left = values
    for rounded in roundings:
        parts.append(rounded(left))
        with np.errstate(invalid="ignore"):
            left = np.where(np.isfinite(parts[-1]), left - parts[-1], np.float32(0.0))
    return parts


def changes(rounding: bool) -> Changes:
    """What replaces the builder's operations on numbers; ``rounding`` where the target computes dots in TF32."""
    from triton.runtime import interpreter

    return [
        *_arithmetic(interpreter),
        *_comparisons(interpreter),
        *_casts(interpreter),
        *_products(interpreter, rounding),
        *_constants(),
        *_absent_before_3_9(interpreter),
    ]


def _is_bf16(handle: Any) -> bool:
    import triton.language as tl

    return bool(getattr(getattr(handle, "dtype", None), "scalar", None) == tl.bfloat16)


def _up(handle: Any) -> Any:
    import triton.language as tl

    return type(handle)(widen(handle.data), tl.float32) if _is_bf16(handle) else handle


def _down(handle: Any) -> Any:
    import numpy as np
    import triton.language as tl

    if np.asarray(handle.data).dtype != np.float32:
        return handle
    return type(handle)(narrow(handle.data), tl.bfloat16)


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
    return [(builder, name, _through_float32(getattr(builder, name))) for name in names if hasattr(builder, name)]


def _comparisons(interpreter: Any) -> Changes:
    """Comparisons return booleans, whatever they compare."""
    import triton.language as tl

    builder = interpreter.InterpreterBuilder

    def truth(original: Callable[..., Any]) -> Callable[..., Any]:
        def compare(self: Any, *args: Any) -> Any:
            found = original(self, *(_up(arg) for arg in args)).data
            return interpreter.TensorHandle(found.astype(bool), tl.int1)

        return compare

    names = [name for name in dir(builder) if name.startswith(("create_icmp", "create_fcmp"))]
    return [(builder, name, truth(getattr(builder, name))) for name in names]


def _constants() -> Changes:
    """A constant beside a tensor leaves the operation to the tensor, as it does in the compiler."""
    import triton.language as tl

    def leaving(original: Callable[..., Any]) -> Callable[..., Any]:
        def operation(self: Any, other: Any) -> Any:
            return NotImplemented if isinstance(other, tl.tensor) else original(self, other)

        return operation

    numbers = ("add", "sub", "mul", "truediv", "floordiv", "mod", "and", "or", "xor", "lshift", "rshift")
    words = (*numbers, "gt", "ge", "lt", "le", "eq", "ne")
    names = [name for word in words if callable(vars(tl.constexpr).get(name := f"__{word}__"))]
    return [(tl.constexpr, name, leaving(vars(tl.constexpr)[name])) for name in names]


def _casts(interpreter: Any) -> Changes:
    """Conversions that have bf16 on one side go through float32, rounded to nearest even unless it says otherwise."""
    import triton.language as tl

    builder, handle = interpreter.InterpreterBuilder, interpreter.TensorHandle
    cast, convert = builder.cast_impl, builder.create_fp_to_fp

    def cast_impl(self: Any, src: Any, dst_type: Any) -> Any:
        target = dst_type.scalar
        if src.dtype.scalar.name in fp8.FORMATS:
            return cast_impl(self, handle(fp8.decoded(src.data, src.dtype.scalar.name), tl.float32), dst_type)
        if target.name in fp8.FORMATS:
            return handle(fp8.encoded(cast_impl(self, src, tl.float64).data, target.name), target)
        if _is_bf16(src):
            return src if target == tl.bfloat16 else cast_impl(self, _up(src), dst_type)
        if target != tl.bfloat16:
            return cast(self, src, dst_type)
        return handle(narrow(cast(self, src, tl.float32).data), tl.bfloat16)

    def create_fp_to_fp(self: Any, src: Any, dst_type: Any, rounding_mode: Any) -> Any:
        narrowest = {src.dtype.scalar.name, dst_type.scalar.name} & set(fp8.FORMATS)
        if narrowest and rounding_mode != interpreter._ir.ROUNDING_MODE.RTZ:
            return cast_impl(self, src, dst_type)
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
    precisions = interpreter._ir.INPUT_PRECISION
    tf32 = precisions.TF32
    of_parts = {getattr(precisions, name): name for name in TERMS if hasattr(precisions, name)}

    def by_parts(self: Any, a: Any, b: Any, d: Any, name: str, *rest: Any) -> Any:
        """The sum of the products of parts; the accumulator comes last."""
        left, right = _split(a.data, name), _split(b.data, name)
        found = handle(np.zeros_like(d.data), d.dtype)
        for i, j in TERMS[name]:
            found = dot(self, handle(left[i], a.dtype), handle(right[j], b.dtype), found, tf32, *rest)
        return handle(found.data + d.data, d.dtype)

    def create_dot(self: Any, a: Any, b: Any, d: Any, input_precision: Any, *rest: Any) -> Any:
        a, b = _decoded(_up(a)), _decoded(_up(b))
        in_float32 = a.data.dtype == np.float32 and b.data.dtype == np.float32
        # Widened bf16 has fewer bits than any of these keeps: it passes through unchanged.
        if in_float32 and d.data.dtype == np.float32 and input_precision in of_parts:
            return by_parts(self, a, b, d, of_parts[input_precision], *rest)
        if rounding and in_float32 and input_precision == tf32:
            a, b = handle(_as_tf32(a.data), a.dtype), handle(_as_tf32(b.data), b.dtype)
        if not _is_bf16(d):
            return dot(self, a, b, d, input_precision, *rest)
        return _down(dot(self, a, b, _up(d), input_precision, *rest))

    return [(builder, "create_dot", create_dot)]


def _decoded(handle: Any) -> Any:
    """An operand of eight bits as float32, which holds it exactly."""
    import triton.language as tl

    name = handle.dtype.scalar.name
    return type(handle)(fp8.decoded(handle.data, name), tl.float32) if name in fp8.FORMATS else handle


def _absent_before_3_9(interpreter: Any) -> Changes:
    """What older interpreters lack: bf16 constants, scalars as loop bounds with new numpy, NaN."""
    import numpy as np
    import triton.language as tl

    if hasattr(interpreter.InterpreterBuilder, "get_bf16"):
        return []
    patch_tensor = interpreter._patch_lang_tensor

    def get_bf16(_: Any, value: float) -> Any:
        return interpreter.TensorHandle(narrow(np.array([value], dtype=np.float32)), tl.bfloat16)

    def patch_lang_tensor(tensor: Any, *scope: Any) -> None:
        patch_tensor(tensor, *scope)
        tensor.__index__ = lambda self: int(self.handle.data.item())

    builder, through = interpreter.InterpreterBuilder, _through_float32
    return [
        # Of a number and NaN the number, as on devices.
        (builder, "create_maxnumf", through(lambda self, a, b: self.binary_op(a, b, np.fmax))),
        (builder, "create_minnumf", through(lambda self, a, b: self.binary_op(a, b, np.fmin))),
        (interpreter.InterpreterBuilder, "get_bf16", get_bf16),
        (interpreter, "_patch_lang_tensor", patch_lang_tensor),
    ]
