"""Functions of the vendors' math libraries, and single instructions of inline assembly, by numpy."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from triton.runtime import interpreter

from akgflow.toolchains.base import Unsupported
from akgflow.toolchains.common.patching import Changes


def _each(function: Callable[..., float]) -> Callable[..., Any]:
    """A function of Python's ``math`` on arrays; NaN where it has no value, infinity where it overflows."""

    def safe(*args: float) -> float:
        try:
            return function(*args)
        except OverflowError:
            return math.inf
        except ValueError:
            return math.nan

    return np.vectorize(safe, otypes=[np.float64])


def _log1p_exp(x: Any) -> Any:
    return np.logaddexp(x, 0.0)


def _normal_cdf(x: Any) -> Any:
    return 0.5 * _each(math.erfc)(-np.asarray(x) / math.sqrt(2.0))


def _popcount(x: Any) -> Any:
    return np.bitwise_count(np.asarray(x)).astype(np.int32)


def _leading_zeros(x: Any) -> Any:
    bits = np.asarray(x).dtype.itemsize * 8
    unsigned = np.asarray(x).view(f"u{bits // 8}")
    return np.vectorize(lambda v: bits - int(v).bit_length(), otypes=[np.int32])(unsigned)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: getattr(np, name) for name in ("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "cbrt")},
    **{name: getattr(np, name) for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "floor", "ceil", "trunc")},
    **{name: getattr(np, name) for name in ("fmod", "fmax", "fmin", "hypot", "copysign", "rint", "nextafter", "ldexp")},
    **{name: _each(getattr(math, name)) for name in ("erf", "erfc", "lgamma", "remainder")},
    "tgamma": _each(math.gamma),
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "atan2": np.arctan2,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "pow": np.power,
    "powi": np.power,
    "fabs": np.abs,
    "abs": np.abs,
    "llabs": np.abs,
    "nearbyint": np.rint,
    "round": lambda x: np.copysign(np.floor(np.abs(x) + 0.5), x),
    "exp10": lambda x: np.power(10.0, x),
    "rsqrt": lambda x: 1.0 / np.sqrt(x),
    "rcp": lambda x: 1.0 / x,
    "rcbrt": lambda x: 1.0 / np.cbrt(x),
    "rhypot": lambda x, y: 1.0 / np.hypot(x, y),
    "sinpi": lambda x: np.sin(np.pi * x),
    "cospi": lambda x: np.cos(np.pi * x),
    "normcdf": _normal_cdf,
    "fdim": lambda x, y: np.maximum(x - y, 0.0),
    "fma": lambda x, y, z: x * y + z,
    "isnan": np.isnan,
    "isnand": np.isnan,
    "isinf": np.isinf,
    "isinfd": np.isinf,
    "finite": np.isfinite,
    "isfinited": np.isfinite,
    "signbit": np.signbit,
    "signbitd": np.signbit,
    "max": np.maximum,
    "min": np.minimum,
    "mulhi": lambda x, y: (x.astype(np.int64) * y.astype(np.int64)) >> 32,
    "popc": _popcount,
    "popcll": _popcount,
    "clz": _leading_zeros,
    "clzll": _leading_zeros,
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "fdivide": np.divide,
    "float2int": lambda x: np.asarray(x),
}
_ROUNDING = re.compile(r"_(rn|rz|rd|ru)$")


def _named(symbol: str) -> Callable[..., Any] | None:
    """The function for ``__nv_expf``, ``__nv_fast_sinf``, ``__nv_fdiv_rn``, ``__ocml_exp_f32``; None if unknown."""
    name = re.sub(r"^__(nv|ocml|ockl)_(fast_|native_)?", "", symbol)
    name = re.sub(r"_(f16|f32|f64)$", "", name)
    if _ROUNDING.search(name):
        # Of the modes only the nearest is what numpy does.
        if not name.endswith("_rn"):
            return None
        name = re.sub(r"^[fd]", "", name[:-3])
    return _FUNCTIONS.get(name) or (_FUNCTIONS.get(name[:-1]) if name.endswith("f") else None)


def _result(function: Callable[..., Any], arrays: list[Any], kind: Any) -> Any:
    """The values in float64 where arguments are floats, rounded once to the result's type ``kind``."""
    scalar = kind.scalar
    wide = [array.astype(np.float64) if array.dtype.kind == "f" else array for array in arrays]
    values = np.asarray(function(*wide))
    return interpreter.TensorHandle(values.astype(interpreter._get_np_dtype(scalar)), scalar)


_ONE_INSTRUCTION = re.compile(r"^\s*([a-z0-9_.]+)\s+\$0\s*((?:,\s*\$\d+\s*)*);?\s*(?://.*)?$")
_INSTRUCTIONS: dict[str, Callable[..., Any]] = {
    "tanh": np.tanh,
    "ex2": np.exp2,
    "lg2": np.log2,
    "rcp": lambda x: 1.0 / x,
    "rsqrt": lambda x: 1.0 / np.sqrt(x),
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "abs": np.abs,
    "neg": np.negative,
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "fma": lambda x, y, z: x * y + z,
    "max": np.fmax,
    "min": np.fmin,
    "mov": lambda x: x,
}
_PLAIN = re.compile(r"\.(f32|f16|f64|s32|u32|b32|approx|ftz|rn|full)(?=\.|$)")


def _assembly(text: str) -> Callable[..., Any] | None:
    """What one instruction on whole registers computes; None for anything else."""
    found = _ONE_INSTRUCTION.match(text)
    if found is None:
        return None
    instruction = found[1]
    if instruction.startswith("griddepcontrol"):
        return lambda *_: np.zeros(1)
    name = instruction.partition(".")[0]
    return _INSTRUCTIONS.get(name) if not _PLAIN.sub("", instruction[len(name) :]) else None


class _Call:
    """What the compiler's builder gives back for inline assembly: an operation with results."""

    def __init__(self, result: Any) -> None:
        self._result = result

    def get_result(self, index: int) -> Any:
        assert index == 0, "only assembly with one result is interpreted"
        return self._result


def changes() -> Changes:
    """The builder's operations for external functions and for inline assembly."""

    def create_extern_elementwise(_: Any, _lib: Any, _path: Any, symbol: str, args: Any, kind: Any, _pure: Any) -> Any:
        function = _named(symbol)
        if function is None:
            raise Unsupported(f"{symbol} of the vendor's math library cannot be interpreted")
        return _result(function, [arg.data for arg in args], kind)

    def create_inline_asm(_: Any, text: str, _constraints: str, args: Any, kinds: Any, _pure: Any, pack: int) -> Any:
        if "%globaltimer" in text or "%clock" in text:
            return _Call(_result(lambda: np.array([time.monotonic_ns() & 0x7FFFFFFF]), [], kinds[0]))
        if "%smid" in text:
            return _Call(_result(lambda: np.zeros(1), [], kinds[0]))
        function = _assembly(text)
        if function is None or pack != 1 or len(kinds) != 1:
            raise Unsupported(f"inline assembly cannot be interpreted: {' '.join(text.split())[:120]}")
        return _Call(_result(function, [arg.data for arg in args], kinds[0]))

    builder = interpreter.InterpreterBuilder
    return [
        (builder, "create_extern_elementwise", create_extern_elementwise),
        (builder, "create_inline_asm", create_inline_asm),
    ]
