"""The fastest rate at which a target can do an operator's contractions under a precision contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from akgflow.precision import TITLES

SPLIT = 3
"""Products of narrow parts that make one as exact as float32: of two halves of each operand, all but the least.

Ootomo and Yokota, Int. J. High Perform. Comput. Appl. 36(4), 2022: float32 accuracy on tensor cores, by float16 or TF32
parts; bfloat16 ones keep too few bits.
"""
_RATES = {torch.float64: "fp64", torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}


def peak(facts: Mapping[str, Any], dtype: torch.dtype, operands: str | None) -> float:
    """Operations a second of contractions in ``dtype``, whose operands may be rounded to a format if they are float32.

    Whole numbers and what the facts do not list count as nothing known: 0.0.
    """
    rates = facts.get("tflops")
    if not isinstance(rates, Mapping):
        return 0.0
    found = float(rates.get(_RATES.get(dtype, ""), 0.0))
    if dtype == torch.float32 and found:
        ways = {"tf32": SPLIT, "fp16": SPLIT} | ({"tf32": 1, operands: 1} if operands else {})
        found = max(found, *(float(rates.get(name, 0.0)) / products for name, products in ways.items()))
    return found * 1e12


def above(limit: str, operands: str | None) -> str:
    """How a call can take less than the floor that ``limit`` sets."""
    if limit == "memory":
        return "more than memory can pass: caches held a part of the data from call to call"
    form = TITLES[operands] if operands else "float32"
    return (
        f"more than the peak at {form}: by fewer operations than were counted (Winograd, Strassen), or by units for "
        "narrower numbers whose errors stay within the bounds"
    )
