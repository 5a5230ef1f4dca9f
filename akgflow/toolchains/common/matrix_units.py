"""Which instructions of matrix units (tensor cores, matrix cores) are in what was compiled."""

from __future__ import annotations

import re
from collections.abc import Iterator

_NVIDIA = re.compile(r"\b(UTC[A-Z]*MMA|[A-Z]GMMA|[A-Z]MMA)((?:\.\w+)*)\s")
"""In SASS: ``HGMMA.64x8x8.F32.TF32``; the formats of operands come last, and none is float16."""
_FAMILIES = (("UTC", "tcgen05"), ("GMMA", "wgmma"), ("MMA", "mma"))
_FORMATS = {"TF32": "tf32", "BF16": "bf16", "E4M3": "fp8", "E5M2": "fp8", "S8": "int8", "U8": "int8", "S4": "int4"}
_BY_LETTER = {"H": "fp16", "D": "fp64", "Q": "fp8", "I": "int8", "O": "fp4"}
"""By the letter before ``MMA`` or ``GMMA``, where no operand's format is named."""
_AMD = re.compile(r"\bv_s?mfmac?_\w+?_\d+x\d+x\d+_?(bf16|f16|xf32|f32|f64|i8|fp8|bf8|f8f6f4)")
_AMD_FORMATS = {"f16": "fp16", "f32": "fp32", "f64": "fp64", "xf32": "tf32", "bf8": "fp8", "i8": "int8"}


def in_sass(text: str) -> dict[str, tuple[str, ...]]:
    """``wgmma tf32`` and the like, once each, for every kernel in what ``cuobjdump -sass`` prints."""
    _, *kernels = re.split(r"^\s*Function : (\S+)\s*$", text, flags=re.MULTILINE)
    return {name: tuple(sorted(set(_of_kernel(body)))) for name, body in zip(kernels[::2], kernels[1::2], strict=True)}


def _of_kernel(text: str) -> Iterator[str]:
    for name, suffixes in _NVIDIA.findall(text):
        family = next(family for part, family in _FAMILIES if part in name)
        named = [_FORMATS[one] for one in suffixes.split(".") if one in _FORMATS]
        yield f"{family} {named[0] if named else _BY_LETTER.get(name.removeprefix('UTC')[0], 'fp16')}"


def of_amdgcn(text: str) -> tuple[str, ...]:
    """``mfma bf16`` and the like, once each, in AMD's assembly."""
    return tuple(sorted({f"mfma {_AMD_FORMATS.get(form, form)}" for form in _AMD.findall(text)}))
