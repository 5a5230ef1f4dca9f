"""Patterns in wrong outputs, in words that whoever repairs the kernel can act on. They decide nothing."""

from __future__ import annotations

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
    for found in (_factor(values, expected, bad), _shifted(values, expected), _region(bad)):
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
    """All wrong elements off by one and the same factor or one and the same amount."""
    if int(bad.sum()) < max(4, bad.numel() // 2):
        return ""
    large = bad & (expected.abs() > expected.abs().nan_to_num(0.0).median())
    ratio = (values[large] / expected[large]) if int(large.sum()) else values[:0].flatten()
    if ratio.numel() >= 4 and float(ratio.std()) < 1e-3 * abs(float(ratio.mean())):
        return f"every value is {float(ratio.mean()):.4g} times what it should be"
    offset = (values - expected)[bad]
    if float(offset.std()) < 1e-3 * abs(float(offset.mean())):
        return f"every value is off by {float(offset.mean()):.4g}"
    return ""


def _shifted(values: torch.Tensor, expected: torch.Tensor) -> str:
    for dim in range(values.dim()):
        for step in (1, -1):
            if values.shape[dim] > 4 and _close(values.roll(step, dim), expected):
                return f"values are shifted by one along dimension {dim} (off by one)"
    return ""


def _region(bad: torch.Tensor) -> str:
    """Where the wrong elements are, when they fill a part of the index range of some dimension."""
    parts: list[str] = []
    for dim in range(bad.dim()):
        others = tuple(d for d in range(bad.dim()) if d != dim)
        hit = bad.any(dim=others) if others else bad
        where = hit.nonzero().flatten()
        size, first, last = (
            bad.shape[dim],
            int(where[0]) if where.numel() else 0,
            int(where[-1]) if where.numel() else 0,
        )
        if where.numel() == 0 or (first == 0 and last == size - 1):
            continue
        tail = " (the tail)" if last == size - 1 and first > 0 else ""
        parts.append(f"dimension {dim}: {first} to {last} of {size}{tail}")
    return f"all of them in {'; '.join(parts)}" if parts else ""
