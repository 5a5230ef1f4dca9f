"""How a dtype is drawn, widened and compared, where that differs from float32.

torch stores more dtypes than it computes with: the 8-bit floats have no minimum, no subtraction and no `isfinite`,
``float4_e2m1fn_x2`` has no conversion at all, unsigned integers above 8 bits have no order on a CPU.

Formats: OCP 8-bit Floating Point (OFP8) and Microscaling (MX) specifications, and the ``fnuz`` kinds of
Noune et al., arXiv 2206.02915.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any, NamedTuple

import torch

from akgflow.verification.shared.memory import map_tensors

COMPUTED = frozenset({torch.float16, torch.bfloat16, torch.float32, torch.float64})
"""Floating dtypes that torch has arithmetic for."""
FLOAT4: torch.dtype | None = getattr(torch, "float4_e2m1fn_x2", None)
"""Two values in each byte, the first in the low half."""
SCALE: torch.dtype | None = getattr(torch, "float8_e8m0fnu", None)
"""Powers of two without a sign and without a zero."""
_COMPLEX = frozenset({torch.complex32, torch.complex64, torch.complex128})
_NAMES = "bool uint8 uint16 uint32 uint64 int8 int16 int32 int64"
_WHOLE = frozenset(getattr(torch, name) for name in _NAMES.split() if hasattr(torch, name))
_FLOAT4_VALUES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)


def use_tf32(products: bool, convolutions: bool) -> None:
    """Say whether PyTorch's float32 matrix products, and its convolutions, may use TF32 on a GPU from now on.

    Each setter of the older interface sets both interfaces alike; what the newer one set for all backends goes first,
    since reading the older one raises where the two differ.
    """
    with warnings.catch_warnings():
        # The newer interface cannot do it alone: torch's compiler reads the older one.
        warnings.simplefilter("ignore")
        for backend in (torch.backends, torch.backends.cudnn):
            if hasattr(backend, "fp32_precision"):
                backend.fp32_precision = "none"
        torch.set_float32_matmul_precision("high" if products else "highest")
        torch.backends.cuda.matmul.allow_tf32 = products
        torch.backends.cudnn.allow_tf32 = convolutions


class Format(NamedTuple):
    """A floating format: ``eps`` from 1 to the next number, the ``least`` positive number, the ``most`` finite one."""

    bits: int
    eps: float
    least: float
    most: float


def is_known(dtype: torch.dtype) -> bool:
    """True for what the judge can draw and compare: floats of 4 to 64 bits, complex numbers, integers, booleans."""
    return dtype in _WHOLE or dtype in _COMPLEX or bool(dtype.is_floating_point)


def is_real(tensor: torch.Tensor) -> bool:
    """True for floating and complex tensors, whose values are compared within a bound."""
    return bool(tensor.is_floating_point() or tensor.is_complex())


@cache
def format_of(dtype: torch.dtype) -> Format:
    """The format of a floating dtype, or of the parts of a complex one."""
    if dtype.itemsize == 1:
        # `torch.finfo` knows nothing of 4 bits, and gives half of the spacing of float8_e5m2fnuz.
        codes = torch.arange(256, dtype=torch.int16).to(torch.uint8).view(dtype)
        values = as_float64(codes).flatten()
        values = values[torch.isfinite(values) & (values > 0)].sort().values.unique()
        above = values[values > 1].min()
        bits = 4 if dtype == FLOAT4 else 8
        return Format(bits, float(above) - 1.0, float(values[0]), float(values[-1]))
    info = torch.finfo(dtype)
    bits = info.bits
    # Kernels may flush what is subnormal in float32 and float64.
    return Format(bits, info.eps, info.smallest_normal * (info.eps if bits < 32 else 1.0), info.max)


def parts(tensor: torch.Tensor) -> torch.Tensor:
    """Complex numbers and packed 4-bit values as pairs in a last dimension; any other tensor as it is."""
    if tensor.is_complex():
        return torch.view_as_real(tensor.resolve_conj().resolve_neg())
    if FLOAT4 is not None and tensor.dtype == FLOAT4:
        code = tensor.contiguous().view(torch.uint8)
        table = torch.tensor((*_FLOAT4_VALUES, *(-value for value in _FLOAT4_VALUES)), device=tensor.device)
        return table[torch.stack((code & 15, code >> 4), -1).long()]
    return tensor


def as_float64(tensor: torch.Tensor) -> torch.Tensor:
    """The `parts` of a tensor in float64."""
    return parts(tensor).double()


def widen(value: Any) -> Any:
    """Floating tensors as float64, complex ones as complex128. Packed 4-bit values stay: operators read their bits."""
    return map_tensors(value, widened)


def widened(tensor: torch.Tensor) -> torch.Tensor:
    """One tensor as `widen` gives it."""
    if tensor.is_complex():
        return tensor.detach().to(torch.complex128)
    if tensor.is_floating_point() and tensor.dtype != FLOAT4:
        return tensor.detach().to(torch.float64)
    return tensor.detach()


def stored(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Real ``values`` of the shape of ``parts(like)``, in the dtype and layout of ``like``; the nearest that it has."""
    if values.dtype == like.dtype and values.stride() == like.stride() and values.is_contiguous():
        return values
    found = torch.empty_like(like, memory_format=torch.preserve_format)
    if like.is_complex():
        return found.copy_(torch.view_as_complex(values.to(torch.float64).contiguous()))
    if like.dtype == FLOAT4:
        return found.view(torch.uint8).copy_(_packed(values)).view(like.dtype)
    if like.dtype not in COMPUTED and like.is_floating_point():
        values = values.abs() if like.dtype == SCALE else values
        most = format_of(like.dtype).most
        values = values.clamp(-most, most)
    return found.copy_(values)


def _packed(values: torch.Tensor) -> torch.Tensor:
    table = torch.tensor(_FLOAT4_VALUES, device=values.device)
    code = (values.abs().unsqueeze(-1) - table).abs().argmin(-1) + 8 * torch.signbit(values).long()
    return (code[..., 0] | code[..., 1] << 4).to(torch.uint8)


def any_code(like: torch.Tensor) -> torch.Tensor:
    """Every finite number of an 8-bit or 4-bit format equally often, subnormal ones and the largest among them."""
    codes = torch.randint(0, 256, like.shape, dtype=torch.uint8, device=like.device).view(like.dtype)
    found = torch.empty_like(like, memory_format=torch.preserve_format).copy_(codes)
    if like.dtype == FLOAT4:
        return found
    return stored(as_float64(found).nan_to_num(0.0, 0.0, 0.0), like)


def filled(like: torch.Tensor, value: float) -> torch.Tensor:
    """A tensor like another, every element the number that is nearest to ``value``."""
    if is_real(like) and not like.is_complex() and like.dtype not in COMPUTED:
        return stored(torch.full(parts(like).shape, value, device=like.device), like)
    return torch.full_like(like, value)


def scale_into(target: torch.Tensor, source: torch.Tensor, factor: float) -> None:
    """Write ``factor * source`` into ``target``, of the same shape and dtype; a copy where torch cannot multiply."""
    if source.dtype in COMPUTED or source.is_complex():
        torch.mul(source, factor, out=target)
    else:
        target.copy_(source)


def same(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Element by element whether two tensors of one shape hold the same value; a NaN equals nothing."""
    if one.dtype == other.dtype:
        return parts(one) == parts(other)
    if is_real(one) or is_real(other):
        return as_float64(one) == as_float64(other)
    # Wide unsigned integers have no common type with others.
    return one.to(torch.int64) == other.to(torch.int64)


def finite(tensor: torch.Tensor) -> torch.Tensor:
    """Where the `parts` of a tensor are finite."""
    values = parts(tensor)
    return torch.isfinite(values if values.dtype in COMPUTED or not is_real(values) else values.float())
