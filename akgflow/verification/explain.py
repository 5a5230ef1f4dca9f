"""Patterns in wrong outputs, in words that whoever repairs the kernel can act on. They decide nothing."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from akgflow.verification.sandbox import POISON


def pattern(got: torch.Tensor, expected: torch.Tensor, good: torch.Tensor) -> str:
    """The first pattern that fits the wrong elements (``~good``); empty when none is evident.

    All three have the same shape; ``expected`` is float64, ``got`` in its own dtype, ``good`` boolean.
    """
    bad = ~good
    values = got.double()
    if bool((values == 0).all()):
        return "everything is zero"
    narrow = rounded_to(got)
    if narrow and rounded_to(expected.to(got.dtype)) != narrow:
        return f"every value is a {narrow} number: the result was rounded to {narrow} on its way"
    for found in (_unwritten(got, bad), _not_a_number(values, expected, bad), _transposed(values, expected)):
        if found:
            return found
    for found in (
        _factor(values, expected, bad),
        _shifted(values, expected),
        _region(bad),
        _imprecise(values, expected, bad),
    ):
        if found:
            return found
    return "the zeros are wrong" if bool((values[bad] == 0).all()) else ""


NARROWER = {
    torch.float32: {"bfloat16": 16, "float16 or TF32": 13},
    torch.float16: {"bfloat16": 3},
}
"""Formats that a value may have been rounded to, and how many of its trailing bits are zero then."""
ROUNDINGS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "float16 or TF32": lambda t: _cut(t, 13) if t.dtype == torch.float32 else t,
    "bfloat16": lambda t: t.bfloat16().to(t.dtype),
}
FEW = 64
_SAMPLE = 1 << 16


def _cut(tensor: torch.Tensor, count: int) -> torch.Tensor:
    """float32 rounded to the nearest number whose last ``count`` bits are zero."""
    bits = tensor.contiguous().view(torch.int32)
    return ((bits + (1 << (count - 1))) & ~((1 << count) - 1)).view(torch.float32).reshape(tensor.shape)


def alike(errors: torch.Tensor, predicted: torch.Tensor) -> bool:
    """True when errors go up and down with those that were predicted (correlation above a half)."""
    a, b = (
        torch.where(torch.isfinite(errors) & torch.isfinite(predicted), t, 0.0).flatten() for t in (errors, predicted)
    )
    norm = float(a.norm() * b.norm())
    return a.numel() >= 16 and norm > 0 and float(a @ b) > 0.5 * norm


def rounded_to(values: torch.Tensor) -> str:
    """The narrower format whose numbers all ``values`` are; empty when there is none or they are too few to tell."""
    formats = NARROWER.get(values.dtype, {})
    sample = values.flatten()[:: max(1, values.numel() // _SAMPLE)]
    sample = sample[torch.isfinite(sample) & (sample != 0)]
    if not formats or sample.unique().numel() < FEW:
        return ""
    bits = sample.contiguous().view(torch.int32 if values.dtype == torch.float32 else torch.int16)
    return next((name for name, count in formats.items() if bool((bits & ((1 << count) - 1) == 0).all())), "")


def _unwritten(got: torch.Tensor, bad: torch.Tensor) -> str:
    """Elements that still hold the bytes that the allocator was told to leave."""
    whole = (
        got.contiguous().view(torch.uint8).reshape(*got.shape, -1) if got.dim() else got.reshape(1).view(torch.uint8)
    )
    untouched = (whole == POISON).all(-1).reshape(bad.shape) & bad
    count = int(untouched.sum())
    where = _region(untouched)
    return f"{count} elements were never written{where and ', ' + where}" if count else ""


def _not_a_number(values: torch.Tensor, expected: torch.Tensor, bad: torch.Tensor) -> str:
    count = int((torch.isnan(values) & ~torch.isnan(expected) & bad).sum())
    where = _region(torch.isnan(values) & bad)
    return f"{count} elements are NaN{where and ', ' + where}" if count else ""


def _close(a: torch.Tensor, b: torch.Tensor) -> bool:
    scale = b.abs().nan_to_num(0.0, 0.0, 0.0).mean()
    return bool(((a - b).abs() <= 1e-3 * (b.abs() + scale)).float().mean() > 0.99)


def _transposed(values: torch.Tensor, expected: torch.Tensor) -> str:
    if values.dim() < 2 or values.shape[-1] != values.shape[-2] or values.shape[-1] < 2:
        return ""
    return "it looks transposed in the last two dimensions" if _close(values.mT, expected) else ""


def _factor(values: torch.Tensor, expected: torch.Tensor, bad: torch.Tensor) -> str:
    """All large wrong elements off by one and the same factor, or all wrong ones by one and the same amount."""
    if int(bad.sum()) < 4:
        return ""
    size = expected.abs().nan_to_num(0.0, 0.0, 0.0)
    large = size > size[bad].median()
    ratio = values[large & bad] / expected[large & bad]
    if ratio.numel() >= 4 and int((large & bad).sum()) > 0.9 * int(large.sum()):
        mean, spread = float(ratio.mean()), float(ratio.std())
        if spread < 1e-3 * abs(mean) and abs(mean - 1) > 4 * spread:
            return f"every value is {mean:.4g} times what it should be"
    offset = (values - expected)[bad]
    if int(bad.sum()) > bad.numel() // 2 and float(offset.std()) < 1e-3 * abs(float(offset.mean())):
        return f"every value is off by {float(offset.mean()):.4g}"
    return ""


def _imprecise(values: torch.Tensor, expected: torch.Tensor, bad: torch.Tensor) -> str:
    """Small errors nearly everywhere: the arithmetic is right and its precision is not."""
    scale = float(expected.abs().nan_to_num(0.0, 0.0, 0.0).mean())
    error = float((values - expected)[bad].abs().median())
    if scale == 0 or not 0 < error < 0.02 * scale or int(bad.sum()) < bad.numel() // 20:
        return ""
    return (
        f"values are close but carry only about {-math.log2(error / scale):.0f} right bits (a lower precision inside?)"
    )


def _shifted(values: torch.Tensor, expected: torch.Tensor) -> str:
    for dim in range(values.dim()):
        for step in (1, -1):
            if values.shape[dim] > 4 and _close(values.roll(step, dim), expected):
                return f"values are shifted by one along dimension {dim} (off by one)"
    return ""


def _region(bad: torch.Tensor) -> str:
    """Where the wrong elements are, when they fill a part of the index range of some dimension."""
    parts, box = [], 1
    for dim, size in enumerate(bad.shape):
        others = tuple(d for d in range(bad.dim()) if d != dim)
        where = (bad.any(dim=others) if others else bad).nonzero().flatten()
        if where.numel() == 0:
            return ""
        first, last = int(where[0]), int(where[-1])
        box *= last - first + 1
        if first > 0 or last < size - 1:
            tail = " (the tail)" if last == size - 1 else ""
            parts.append(f"dimension {dim}: {first} to {last} of {size}{tail}")
    # Scattered errors have a bounding box too; only a filled one says something.
    return f"all of them in {'; '.join(parts)}" if parts and 2 * int(bad.sum()) >= box else ""
