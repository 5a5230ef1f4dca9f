"""The precision contract: which operands of float32 contractions may be rounded, by candidates and baselines alike.

A *contraction* is what the operator's graph calls one: a matrix product or a convolution. Sums stay in float32, and
everything else (elementwise work, norms, losses) is computed as under `Precision.STRICT`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from akgflow.base.platforms import PLATFORMS

COMPUTE = "compute"
"""The key of ``precision: {compute: bf16}``."""
TF32 = "tf32"
TITLES = {TF32: "TF32", "bf16": "bfloat16", "fp16": "float16"}
"""Formats of operands, as texts call them."""
_CONVOLUTION = re.compile("conv", re.IGNORECASE)


class Operands(NamedTuple):
    """The formats (`TITLES`) to which operands of float32 matrix products and convolutions may be rounded, or None."""

    product: str | None = None
    convolution: str | None = None

    def __bool__(self) -> bool:
        return any(self)

    def __str__(self) -> str:
        """``operands of float32 convolutions may be rounded to TF32``; empty where none may be."""
        if not self:
            return ""
        kinds = {"products": self.product, "convolutions": self.convolution}
        names = " and ".join(name for name, form in kinds.items() if form)
        return f"operands of float32 {names} may be rounded to {TITLES[next(filter(None, self))]}"


class Precision(StrEnum):
    """What float32 operators may lose."""

    FRAMEWORK = "framework"
    """What PyTorch does as it ships: TF32 in float32 convolutions on NVIDIA GPUs, float32 elsewhere."""
    STRICT = "strict"
    """float32 is float32."""
    TF32 = "tf32"
    """TF32 operands in every contraction."""
    BF16 = "compute=bf16"
    """bfloat16 operands in every contraction."""
    FP16 = "compute=fp16"
    """float16 operands in every contraction."""

    @classmethod
    def of(cls, value: str | Mapping[str, str]) -> Precision:
        """``tf32``, ``compute=bf16`` or ``{compute: bf16}``; raises `ValueError` for anything else."""
        return cls(value if isinstance(value, str) else ",".join(f"{key}={one}" for key, one in value.items()))

    def operands(self, platform: str) -> Operands:
        """What may be rounded for a target of that platform, wherever it is judged."""
        if self is Precision.STRICT:
            return Operands()
        if self is Precision.FRAMEWORK:
            return Operands(None, TF32 if PLATFORMS[platform].tf32_convolutions else None)
        form = self.value.removeprefix(f"{COMPUTE}=")
        return Operands(form, form)

    @property
    def tf32(self) -> tuple[bool, bool]:
        """PyTorch's own settings: whether its matrix products, and its convolutions, may use TF32 on a GPU.

        PyTorch has no setting for narrower operands at float32's dtype: there TF32 is the fastest that it offers.
        """
        return self not in (Precision.FRAMEWORK, Precision.STRICT), self is not Precision.STRICT

    def advice(self, platform: str, operator: str) -> str:
        """One sentence for who writes a kernel; empty where an ``operator`` (its text) is left as it always was."""
        allowed = self.operands(platform)
        if self is Precision.STRICT:
            return "float32 stays float32 everywhere, in convolutions too: no TF32 and nothing narrower."
        if not allowed or (not allowed.product and not _CONVOLUTION.search(operator)):
            return ""
        return f"The {allowed}, with sums in float32, whatever is said below; everything else keeps float32."


class Contract(NamedTuple):
    """A `Precision`, and what it lets candidates round on one platform."""

    precision: Precision = Precision.STRICT
    allowed: Operands = Operands()

    @classmethod
    def on(cls, precision: Precision, platform: str) -> Contract:
        """For a target of that platform, wherever it is judged."""
        return cls(precision, precision.operands(platform))


PRECISIONS = tuple(map(str, Precision))
