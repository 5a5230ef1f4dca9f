"""Patterns in wrong outputs, in words that whoever repairs the kernel can act on. They decide nothing."""

from __future__ import annotations

import math

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
