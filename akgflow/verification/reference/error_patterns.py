"""Describes patterns in wrong outputs, as hints for repairing the kernel. They decide nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch

from akgflow.verification.sandbox import POISON
from akgflow.verification.shared.memory import dtype_name


def pattern(got: torch.Tensor, expected: torch.Tensor, good: torch.Tensor) -> str:
    """The first pattern that fits the wrong elements (``~good``); empty when none is evident.

    All three have the same shape; ``expected`` is float64, ``got`` in its own dtype, ``good`` boolean.
    """
    bad = ~good
    values = got.double()
    if bool((values == 0).all()):
        return "everything is zero"
    if narrow := rounded_on_its_way(got, expected):
        return narrow
    unwritten = _unwritten(got, bad) or _rounded_twice(got, expected, bad)
    return unwritten or next((found for look in _LOOKS if (found := look(values, expected, bad))), "")


NARROWER = {
    torch.float32: {"bfloat16": 16, "float16 or TF32": 13},
    torch.float16: {"bfloat16": 3},
}
"""Formats that a value may have been rounded to, and how many of its trailing bits are zero then."""
ROUNDINGS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "float16 or TF32": lambda t: _cut(t, 13) if t.dtype == torch.float32 else t,
    "bfloat16": lambda t: t.bfloat16().to(t.dtype),
}
FEW, MANY = 64, 1 << 22
OWN_ROUNDINGS = 2
"""By so many roundings of its own dtype a value differs from a narrower number that it is not."""
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
    if not formats:
        return ""
    sample = values.flatten()[:: max(1, values.numel() // _SAMPLE)]
    sample = sample[torch.isfinite(sample) & (sample != 0)]
    if sample.unique().numel() < FEW:
        return ""
    bits = sample.contiguous().view(torch.int32 if values.dtype == torch.float32 else torch.int16)
    return next((name for name, count in formats.items() if bool((bits & ((1 << count) - 1) == 0).all())), "")


def rounded_on_its_way(got: torch.Tensor, expected: torch.Tensor) -> str:
    """That all values are numbers of a narrower format, which those that are expected (float64) are not; else empty.

    Sums of few digits are such numbers by themselves, but for what the float64 of the expected ones has rounded: only
    values that are further from a number of that format count, `FEW` of them at least.
    """
    name = rounded_to(got)
    if not name:
        return ""
    exact = torch.where((got != 0) & torch.isfinite(got) & torch.isfinite(expected), expected, 0.0)
    moved = (ROUNDINGS[name](exact.to(got.dtype)).double() - exact).abs()
    told = moved > OWN_ROUNDINGS * torch.finfo(got.dtype).eps * exact.abs()
    if int(told.sum()) < FEW:
        return ""
    return f"every value is a {name} number: the result was rounded to {name} on its way"


def _unwritten(got: torch.Tensor, bad: torch.Tensor) -> str:
    """Elements that still hold the bytes that the allocator was told to leave."""
    whole = (
        got.contiguous().view(torch.uint8).reshape(*got.shape, -1) if got.dim() else got.reshape(1).view(torch.uint8)
    )
    untouched = (whole == POISON).all(-1).reshape(bad.shape) & bad
    count = int(untouched.sum())
    where = _region(untouched)
    return f"{count} elements were never written{where and ', ' + where}" if count else ""


def _rounded_twice(got: torch.Tensor, expected: torch.Tensor, bad: torch.Tensor) -> str:
    """Errors of 16-bit values that are no larger than a rounding or two of what such values usually are."""
    if got.dtype not in (torch.float16, torch.bfloat16):
        return ""
    usual = float(expected.nan_to_num(0.0, 0.0, 0.0).square().mean().sqrt())
    error = (got.double() - expected)[bad].abs()
    if not bool((error <= 2 * torch.finfo(got.dtype).eps * expected[bad].abs().clamp(min=usual)).all()):
        return ""
    return (
        f"they are errors of one more rounding to {dtype_name(got.dtype)}: keep what is computed in between in float32"
    )


def _not_a_number(values: torch.Tensor, expected: torch.Tensor, bad: torch.Tensor) -> str:
    count = int((torch.isnan(values) & ~torch.isnan(expected) & bad).sum())
    where = _region(torch.isnan(values) & bad)
    return f"{count} elements are NaN{where and ', ' + where}" if count else ""


def _overflow(values: torch.Tensor, expected: torch.Tensor, bad: torch.Tensor) -> str:
    """Infinities where numbers should be: what was too large on the way, or a division by zero."""
    infinite = torch.isinf(values) & torch.isfinite(expected) & bad
    where = _region(infinite)
    found = f"{int(infinite.sum())} elements are infinite{where and ', ' + where}"
    return f"{found} (an exponential without its maximum, a narrow type, or a division by zero?)" * bool(infinite.any())


def _close(a: torch.Tensor, b: torch.Tensor) -> bool:
    scale = b.abs().nan_to_num(0.0, 0.0, 0.0).mean()
    return bool(((a - b).abs() <= 1e-3 * (b.abs() + scale)).float().mean() > 0.99)


def _transposed(values: torch.Tensor, expected: torch.Tensor, bad: torch.Tensor) -> str:  # noqa: ARG001
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
        if spread < 1e-3 * abs(mean) and abs(mean - 1) > 40 * spread:
            return f"every value is {mean:.4g} times what it should be"
    offset = (values - expected)[bad]
    if int(bad.sum()) > bad.numel() // 2 and float(offset.std()) < 1e-3 * abs(float(offset.mean())):
        return f"every value is off by {float(offset.mean()):.4g}"
    return ""


def _along(values: torch.Tensor, expected: torch.Tensor, bad: torch.Tensor) -> str:
    """Errors that are one amount, or one factor, all along a dimension; or values that do not change along it."""
    finite = bool(torch.isfinite(values).all() and torch.isfinite(expected).all())
    if not finite or int(bad.sum()) < 0.9 * bad.numel():
        return ""
    error = values - expected
    for dim, size in enumerate(values.shape):
        if size >= 4 and values.numel() > size:
            if _steady(values, dim) and not _steady(expected, dim):
                return f"values do not change along dimension {dim}"
            if _steady(error, dim):
                return f"the error is the same all along dimension {dim} (a bias left out, or added twice?)"
            if bool((expected != 0).all()) and _steady(values / expected, dim):
                return f"values are off by the same factor all along dimension {dim} (its normalisation?)"
    return ""


def _steady(values: torch.Tensor, dim: int) -> bool:
    """True when nearly all rows along ``dim`` hold one value each, and rows differ."""
    spread, mean = values.std(dim), values.mean(dim).abs()
    return bool((spread <= 1e-3 * mean).float().mean() > 0.95) and float(values.std()) > 10 * float(spread.median())


def _shifted(values: torch.Tensor, expected: torch.Tensor, bad: torch.Tensor) -> str:  # noqa: ARG001
    for dim in range(values.dim()):
        for step in (1, -1):
            if values.shape[dim] > 4 and _close(values.roll(step, dim), expected):
                return f"values are shifted by one along dimension {dim} (off by one)"
    return ""


def _where(values: torch.Tensor, expected: torch.Tensor, bad: torch.Tensor) -> str:
    if bad.dim() and int(bad.sum()) <= 3:
        return f"they are at {', '.join(map(str, bad.nonzero().tolist()))}"
    where = _region(bad)
    zeros = bool((values[bad] == 0).all())
    return f"{where}{', and are zero' if zeros else ''}" if where else _should_be_zero(values, expected, bad)


def _should_be_zero(values: torch.Tensor, expected: torch.Tensor, bad: torch.Tensor) -> str:
    wrong = values[bad]
    if wrong.numel() > 4 and bool((expected[bad] == 0).all()):
        negative = " and are negative" if bool((wrong < 0).all()) else ""
        return f"all of them should be zero{negative} (a mask or a maximum with zero left out?)"
    return ""


def _moved(values: torch.Tensor, expected: torch.Tensor, bad: torch.Tensor) -> str:
    """The right values in the wrong places."""
    if values.dim() == 0 or not FEW <= values.numel() <= MANY or values.unique().numel() < FEW:
        return ""
    same = _close(values.flatten().sort().values, expected.flatten().sort().values)
    scale = float(expected.std())
    if not same or float((values - expected)[bad].abs().median()) < 0.1 * scale:
        return ""
    return "the right values are there, in other places (a wrong index or order of blocks?)"


def _imprecise(values: torch.Tensor, expected: torch.Tensor, bad: torch.Tensor) -> str:
    """Small errors nearly everywhere: what is computed is nearly right."""
    scale = float(expected.abs().nan_to_num(0.0, 0.0, 0.0).mean())
    error = float((values - expected)[bad].abs().median())
    if scale == 0 or not 0 < error < 0.02 * scale or int(bad.sum()) < bad.numel() // 20:
        return ""
    bits = -math.log2(error / scale)
    return (
        f"values are close but carry only about {bits:.0f} right bits (a lower precision or another constant inside?)"
    )


def _share(values: torch.Tensor, expected: torch.Tensor, bad: torch.Tensor) -> str:
    """Sums that lack a part, or hold it twice: about the same share everywhere."""
    if values.numel() < FEW or int(bad.sum()) < 0.9 * bad.numel() or not bool(torch.isfinite(values).all()):
        return ""
    square = float(expected.square().sum())
    share = float((values * expected).sum()) / square if square > 0 else 1.0
    rest, error = (values - share * expected).norm(), (values - expected).norm()
    if not 0.1 < share < 4 or float(rest) > 0.5 * float(error):
        return ""
    return f"values are about {share:.3g} times what they should be (is a part of a sum left out, or added twice?)"


def _zeros(values: torch.Tensor, expected: torch.Tensor, bad: torch.Tensor) -> str:  # noqa: ARG001
    return "all wrong elements are zero" if bool((values[bad] == 0).all()) else ""


def _region(bad: torch.Tensor) -> str:
    """Where the wrong elements are, when they fill a part of the index range of some dimension."""
    parts, box = [], 1
    for dim, size in enumerate(bad.shape):
        others = tuple(d for d in range(bad.dim()) if d != dim)
        where = (bad.any(dim=others) if others else bad).nonzero().flatten().tolist()
        if not where:
            return ""
        extent = len(where) if _step(where) else where[-1] - where[0] + 1
        box *= extent
        if extent < size:
            parts.append(f"dimension {dim}: {_span(where, size)}")
    # Scattered errors have a bounding box too; only a filled one says something.
    return f"all of them in {'; '.join(parts)}" if parts and 2 * int(bad.sum()) >= box else ""


def _step(where: list[int]) -> int:
    """The distance between indices, where it is one and the same and more than one; else 0."""
    steps = {b - a for a, b in pairwise(where)}
    return steps.pop() if len(where) > 2 and len(steps) == 1 and steps != {1} else 0


def _span(where: list[int], size: int) -> str:
    """A range of indices in words."""
    first, last, step = where[0], where[-1], _step(where)
    if step:
        return f"every {step}th of {size}, from {first} on"
    shown = f"index {first} of {size}" if first == last else f"{first} to {last} of {size}"
    return shown + (" (the tail)" if last == size - 1 and 2 * first >= size else "")


_LOOKS: tuple[Callable[[torch.Tensor, torch.Tensor, torch.Tensor], str], ...] = (
    _not_a_number,
    _overflow,
    _transposed,
    _factor,
    _along,
    _shifted,
    _where,
    _moved,
    _imprecise,
    _share,
    _zeros,
)
"""Tried in this order; each gets values, what they should be, and which are wrong."""
