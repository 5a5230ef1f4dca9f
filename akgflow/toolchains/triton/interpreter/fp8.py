"""Numbers of eight bits: what each code means, and the nearest code of a number.

The interpreter rounds halves away from zero, lets a carry run into the exponent's neighbours, and overflows to another
number; devices round to nearest even and saturate (``cvt.rn.satfinite`` of PTX; formats after the OCP 8-bit
floating-point specification, and the FNUZ variants of AMD's CDNA 3).
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np


class Format(NamedTuple):
    """``mantissa`` bits, ``bias`` of the exponent, and which codes are no finite numbers."""

    mantissa: int
    bias: int
    infinite: bool
    fnuz: bool
    saturates: bool


FORMATS = {
    "fp8e5": Format(2, 15, infinite=True, fnuz=False, saturates=True),
    "fp8e4nv": Format(3, 7, infinite=False, fnuz=False, saturates=True),
    "fp8e4b8": Format(3, 8, infinite=False, fnuz=True, saturates=True),
    "fp8e5b16": Format(2, 16, infinite=False, fnuz=True, saturates=True),
}


@cache
def values(name: str) -> Any:
    """The value of each of the 256 codes, as float32."""
    form = FORMATS[name]
    codes = np.arange(256)
    sign = np.where(codes & 0x80, -1.0, 1.0)
    fraction = (codes & ((1 << form.mantissa) - 1)) / (1 << form.mantissa)
    exponent = (codes & 0x7F) >> form.mantissa
    normal = (1.0 + fraction) * np.exp2(exponent.astype(float) - form.bias)
    small = fraction * np.exp2(1.0 - form.bias)
    found = sign * np.where(exponent == 0, small, normal)
    if form.fnuz:
        found[0x80] = np.nan
    elif form.infinite:
        top = exponent == (0x7F >> form.mantissa)
        found[top] = np.where(fraction[top] == 0, sign[top] * np.inf, np.nan)
    else:
        found[[0x7F, 0xFF]] = np.nan
    return found.astype(np.float32)


def decoded(codes: Any, name: str) -> Any:
    """Codes (uint8) as float32."""
    return values(name)[np.asarray(codes)]


def encoded(numbers: Any, name: str) -> Any:
    """Numbers as the nearest codes (uint8), ties to even; what is too large becomes the largest finite number."""
    form = FORMATS[name]
    ladder = values(name)[:128]
    ladder = ladder[np.isfinite(ladder)].astype(np.float64)
    given = np.asarray(numbers, dtype=np.float64)
    size = np.abs(given)
    above = np.searchsorted(ladder, size, side="left")
    high, low = np.minimum(above, len(ladder) - 1), np.maximum(np.minimum(above, len(ladder) - 1) - 1, 0)
    up, down = ladder[high] - size, size - ladder[low]
    code = np.where((up < down) | ((up == down) & (high % 2 == 0)), high, low)
    code = np.where(size > ladder[-1], len(ladder) - 1, code)
    code = np.where(size == ladder[high], high, code)
    negative = np.signbit(given) & ~(form.fnuz & (code == 0))
    code = np.where(negative, code | 0x80, code)
    nan = 0x80 if form.fnuz else 0x7F
    return np.where(np.isnan(given), nan, code).astype(np.uint8)
