"""Input invariants of an operator, and other distributions that keep them.

A kernel may rely on what all inputs of its operator have in common: a triangular matrix, a table of cosines, rows that
sum to one. Two draws of the operator's own inputs show it. What they do not have in common may be drawn from another
distribution.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import torch

from akgflow.verification.reference.special.arrangements import Arrangement, arranged, coarse
from akgflow.verification.shared import dtypes

OPERATOR = "operator"
"""The operator's own ``get_inputs`` under a fresh seed."""
NORMAL = "normal"
WIDE = "wide"
TIES = "ties"
EXTREMES = "extremes"
SCALED = "scaled rows"
SHIFTED = "shifted"
ORDERED = "rows in order"
"""The operator's own values, put in order along the last dimension: what depends on no value, but on all of a row."""
EXTRA = (WIDE, TIES, EXTREMES, SCALED, SHIFTED, ORDERED)
CLUSTERED = "clustered maxima"
"""For operators that look for what is largest."""
DECAYS = LASTING, FADING = "decays near one", "decays near zero"
"""For recurrences, which bear no shifted ones: values in the unit interval, or logarithms of such, beside others."""
LEVELS = {SCALED: (1e4, 40.0, 1.0), SHIFTED: (1e3, 30.0)}
"""Levels that are tried, the largest first: what the operator or the framework cannot do is not asked."""
ARRANGEMENTS = tuple(float(one) for one in reversed(Arrangement))

ENLARGED = (WIDE, EXTREMES, SCALED, SHIFTED)
"""Those whose values may be much larger than others."""
SIGNED, POSITIVE, BOUNDED = "signed", "positive", "bounded"
"""Ways to draw: any sign, magnitudes only, and mapped by a sigmoid into the range of the operator's own values."""
WAYS = (SIGNED, POSITIVE, BOUNDED)
_SELECTING = frozenset(f"aten::{name}" for name in (
    "max", "min", "amax", "amin", "aminmax", "argmax", "argmin", "topk", "sort", "kthvalue", "median", "cummax",
    "cummin", "_softmax", "_log_softmax", "logsumexp", "logcumsumexp", "exp", "_safe_softmax",
    "_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_flash_attention",
    "_scaled_dot_product_efficient_attention", "_scaled_dot_product_cudnn_attention",
))  # fmt: skip
_SAMPLE = 4096
_MOST_LENGTHS = 4096


MANY_ELEMENTS, MOST_ELEMENTS = 1 << 26, 1 << 28
"""Elements of inputs and outputs together from which on memory allows only one more distribution, or none."""


@dataclass(frozen=True)
class InputInvariant:
    """What one input tensor has in common from draw to draw.

    Complex numbers and packed 4-bit values are taken as pairs of real ones.
    """

    random: bool
    """False for a tensor that is not floating, or is chosen rather than drawn; only these have masks and lengths."""
    movable: bool = False
    """True for floating whole numbers that vary: they are not drawn afresh, but may stand in another order."""
    zeros: torch.Tensor | None = None
    """Marks elements that are always zero."""
    symmetric: bool = False
    sums_to_one: int | None = None
    """The dimension along which values are a distribution."""
    ascends: int | None = None
    """The dimension along which values are sorted."""
    low: float = 0.0
    high: float = 0.0
    masks: torch.Tensor | None = None
    """Marks the elements of a mask that vary."""
    mask: torch.Tensor | None = None
    """A mask that was drawn, for the elements that do not."""
    lengths: tuple[int, ...] = ()
    """The ends of an integer's range; zero and one are among them where the range holds them."""

    @property
    def plain(self) -> bool:
        """True when elements are independent: they may be permuted and scaled."""
        tied = self.symmetric or self.zeros is not None or self.sums_to_one is not None or self.ascends is not None
        return self.random and not tied

    @property
    def decays(self) -> bool:
        """True for values in the unit interval, and for logarithms of such."""
        return self.plain and ((0.5 < self.high <= 1.0 and self.low >= 0.0) or self.high <= 0.0)

    @property
    def has_borders(self) -> bool:
        """True for masks and lengths."""
        return self.masks is not None or bool(self.lengths)


def input_invariant(one: torch.Tensor, other: torch.Tensor) -> InputInvariant:
    """What two draws of the same input, under different seeds, have in common."""
    eps = dtypes.format_of(one.dtype).eps if dtypes.is_real(one) else 0.0
    one, other = _numbers(one), _numbers(other)
    if not (is_free(one) and is_free(other)) or one.shape != other.shape or torch.equal(one, other):
        return InputInvariant(False, movable=_movable(one, other))
    both, fine = (one, other), eps < 0.1
    # Large inputs: what takes memory is computed only where it can say something.
    most = max(2, one.numel() // 1000)
    zeros = (one == 0) & (other == 0) if fine and one.numel() - int(one.count_nonzero()) > most else None
    square = one.dim() >= 2 and one.shape[-1] == one.shape[-2] > 1
    return InputInvariant(
        random=True,
        zeros=zeros if zeros is not None and int(zeros.sum()) > most else None,
        symmetric=square and all(bool(torch.equal(t, t.mT)) for t in both),
        sums_to_one=next((d for d in range(one.dim()) if fine and all(_sums_to_one(t, d, eps) for t in both)), None),
        ascends=next((d for d in range(one.dim()) if all(_ascends(t, d) for t in both)), None),
        low=float(min(t.min() for t in both)),
        high=float(max(t.max() for t in both)),
    )


def _numbers(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor's real numbers in a dtype that has arithmetic."""
    found = dtypes.parts(tensor)
    return found.float() if found.is_floating_point() and found.dtype not in dtypes.COMPUTED else found


def is_free(tensor: torch.Tensor) -> bool:
    """True for floating tensors that look drawn rather than chosen: finite, more than two values, not all whole."""
    if not tensor.is_floating_point() or tensor.numel() < 3:
        return False
    sample = tensor.flatten()[:: max(1, tensor.numel() // _SAMPLE)].float()
    if not bool(torch.isfinite(sample).all()) or bool((sample == sample.round()).all()):
        return False
    return bool(sample.unique().numel() > 2)


def _movable(one: torch.Tensor, other: torch.Tensor) -> bool:
    """True where whole floating numbers vary at nearly all places; two kinds of them may be a mask or a choice."""
    if one.shape != other.shape or not one.is_floating_point() or one.numel() < 3 or one.numel() > _SAMPLE**2:
        return False
    finite = bool(torch.isfinite(one).all()) and one.unique().numel() > 3
    return finite and float((one == other).float().mean()) < 0.5


def _sums_to_one(tensor: torch.Tensor, dim: int, eps: float) -> bool:
    if tensor.shape[dim] < 2 or not bool((tensor >= 0).all()):
        return False
    sums = tensor.float().sum(dim)
    return bool(((sums - 1).abs() < 8 * eps * tensor.shape[dim] ** 0.5).all())


def _ascends(tensor: torch.Tensor, dim: int) -> bool:
    if tensor.shape[dim] < 8 or not bool((tensor.narrow(dim, 0, 8).diff(dim=dim) >= 0).all()):
        return False
    return bool((tensor.diff(dim=dim) >= 0).all())


def may_have_borders(tensor: torch.Tensor) -> bool:
    """True for what looks like a mask or like lengths, of which more draws are worth looking at."""
    if _is_mask(tensor):
        return True
    whole = not dtypes.is_real(tensor) and tensor.dtype != torch.bool
    return whole and 0 < tensor.numel() <= _MOST_LENGTHS and tensor.dim() <= 2


def borders(seen: Sequence[torch.Tensor]) -> InputInvariant:
    """What several draws of a mask or of lengths have in common; no mask and no lengths where that is not evident."""
    if any(one.shape != seen[0].shape for one in seen) or all(bool((one == seen[0]).all()) for one in seen):
        return InputInvariant(False)
    if all(map(_is_mask, seen)):
        masks = torch.stack([_masked(one) for one in seen])
        return InputInvariant(False, masks=varying(masks), mask=masks[0])
    if not all(map(may_have_borders, seen)):
        return InputInvariant(False)
    return InputInvariant(False, lengths=_ends(torch.stack([one.to(torch.int64).flatten() for one in seen])))


def _is_mask(tensor: torch.Tensor) -> bool:
    if tensor.dim() == 0 or tensor.shape[-1] < 2:
        return False
    if tensor.dtype == torch.bool:
        return True
    if tensor.dtype not in dtypes.COMPUTED:
        return False
    hidden = torch.isneginf(tensor)
    return bool(hidden.any()) and bool((hidden | (tensor == 0)).all())


def _masked(tensor: torch.Tensor) -> torch.Tensor:
    return tensor if tensor.dtype == torch.bool else torch.isneginf(tensor)


def varying(seen: torch.Tensor) -> torch.Tensor | None:
    """The elements of a mask that vary from draw to draw; all of them where chance explains those that did not.

    None where every row has as many, or where the mask is symmetric: then elements depend on each other.
    """
    counts = seen.sum(-1)
    square = seen.dim() >= 3 and seen.shape[-1] == seen.shape[-2]
    if bool((counts == counts.flatten()[0]).all()) or (square and bool((seen == seen.mT).all())):
        return None
    constant = (seen == seen[0]).all(0)
    share = float(seen.float().mean())
    by_chance = share ** len(seen) + (1 - share) ** len(seen)
    found = ~constant
    return torch.ones_like(found) if float(constant.float().mean()) <= 2 * by_chance + 0.01 else found


def _ends(seen: torch.Tensor) -> tuple[int, ...]:
    """The ends of the range of integers, one row a draw; none where they depend on each other."""
    low, high, count = int(seen.min()), int(seen.max()), seen.shape[1]
    sums, sorted_ = seen.sum(1), seen.sort(1).values
    tied = count >= 3 and (
        bool((sums == sums[0]).all()) or bool((seen == sorted_).all()) or bool((sorted_.diff(dim=1) > 0).all())
    )
    if tied or low < 0 or low == high:
        return ()
    # The distance from the least of n uniform draws to the end of their range is about its width / n.
    near_one = low - 3 * (high - low) / seen.numel() <= 1 <= high
    return tuple(sorted({low, high} | ({1} if near_one else set())))


def attempts(distribution: str, confined: bool, bordered: bool) -> Iterator[tuple[float, str]]:
    """Levels and ways in which to draw, in the order in which they are tried.

    ``confined``: values must stay in the range of the operator's own; ``bordered``: it has masks or lengths.
    """
    if distribution == ORDERED:
        return product(ARRANGEMENTS, (BOUNDED if confined else SIGNED,))
    levels = (1.0, 0.0) if bordered else LEVELS.get(distribution, (1.0,))
    # Mapped into a range, slices of low magnitude or shifted values are nearly equal: sums of squares and their
    # squared sum cancel, in sound kernels too.
    if distribution not in LEVELS:
        return product(levels, (BOUNDED,) if confined else WAYS)
    return product(() if confined else levels, WAYS[:2])


def most_others(elements: int) -> int:
    """How many distributions beside the first two memory allows, by the elements of inputs and outputs."""
    return 0 if elements > MOST_ELEMENTS else 1 if elements > MANY_ELEMENTS else len(EXTRA)


def further(names: Collection[str], invariants: Sequence[InputInvariant]) -> list[str]:
    """Further distributions for an operator that calls operations of these ``names``; `DECAYS` are last."""
    found = [CLUSTERED] if selects(names) else []
    decays = [one.decays for one in invariants if one.random]
    return found + (list(DECAYS) if any(decays) and not all(decays) else [])


def selects(names: Collection[str]) -> bool:
    """True when operations of these names take the largest of some values, or weigh them exponentially."""
    return not _SELECTING.isdisjoint(names)


def redraw(
    tensor: torch.Tensor, invariant: InputInvariant, distribution: str, way: str, level: float = 1.0
) -> torch.Tensor:
    """A tensor of the same layout from another distribution that keeps the invariant."""
    if distribution == ORDERED:
        return _in_order(tensor, invariant, way, Arrangement(int(level)))
    if not invariant.random:
        at_borders = distribution == EXTREMES and level and invariant.has_borders
        return _at_borders(tensor, invariant) if at_borders else tensor
    if distribution in DECAYS and invariant.decays:
        return dtypes.stored(_near_an_end(tensor, invariant, distribution == LASTING), tensor)
    values = _values(tensor, invariant, distribution, level)
    if way == POSITIVE:
        values = values.abs()
    elif way == BOUNDED:
        values = invariant.low + (invariant.high - invariant.low) * torch.sigmoid(values)
    if invariant.symmetric:
        values = values.tril() + values.tril(-1).mT
    if invariant.sums_to_one is not None:
        values = torch.softmax(values.clamp(-8, 8), invariant.sums_to_one)
    if invariant.ascends is not None:
        values = values.sort(invariant.ascends).values
    if invariant.zeros is not None:
        values = values.masked_fill(invariant.zeros, 0.0)
    return dtypes.stored(values, tensor)


def _in_order(tensor: torch.Tensor, invariant: InputInvariant, way: str, how: Arrangement) -> torch.Tensor:
    """The same values in other places and fewer digits, and zeros where they are in range."""
    if not (invariant.movable or invariant.plain):
        return tensor
    if invariant.movable or (way == BOUNDED and not invariant.low <= 0 <= invariant.high):
        how = min(how, Arrangement.EQUAL)
    values = _numbers(tensor) if invariant.movable else coarse(_numbers(tensor))
    if way == BOUNDED and not invariant.movable:
        values = values.clamp(invariant.low, invariant.high)
    return dtypes.stored(arranged(values, how), tensor)


def _values(tensor: torch.Tensor, invariant: InputInvariant, distribution: str, level: float) -> torch.Tensor:
    """Float32 (of float64: float64) values of its shape. In parentheses: for narrow dtypes, whose products overflow.

    ``wide``: magnitudes from 0.001 to 100 (10), log-uniform. ``ties``: multiples of a half, none above
    minus a half, many of them equal: a maximum that starts at zero is wrong. ``extremes``: a quarter are zeros of
    either sign, one in 64 is a thousand (thirty) times as large; of 8-bit floats every finite number equally often.
    ``scaled rows``: of the slices along the first dimension, a quarter are ``level`` times as large as the operator's
    own, where exponentials and squares overflow, and a quarter are a thousand (hundred) times smaller, where an
    epsilon shows. ``shifted``: around ``level``, as far as the dtype still resolves neighbours, where a variance
    taken in one pass has no correct digit left.
    """
    like, form = dtypes.parts(tensor), dtypes.format_of(tensor.dtype)
    # What has the digits of float32 alone does not tell float64 from it.
    drawn = torch.float64 if like.dtype == torch.float64 else torch.float32
    normal = torch.randn(like.shape, device=tensor.device, dtype=drawn)
    if distribution in (NORMAL, *DECAYS):
        return normal
    if distribution == CLUSTERED:
        return _clustered(normal, max(form.eps, 2**-23))
    if distribution == TIES:
        return -0.5 - (2 * normal.abs()).round() / 2
    if distribution == SCALED:
        own = max(1.0, abs(invariant.low), abs(invariant.high)) if level > 1 else 1.0
        return normal * _by_slice(normal, min(level * own, form.most / 8), 1e-2 if form.bits < 32 else 1e-3)
    if distribution == SHIFTED:
        return normal + min(level, 2**-7 / form.eps)
    if distribution == EXTREMES and form.bits <= 8:
        return dtypes.as_float64(dtypes.any_code(tensor)).float()
    narrow, which = form.bits < 32, torch.rand_like(normal)
    if distribution == WIDE:
        return 10.0 ** ((4 if narrow else 5) * which - 3) * normal.sign()
    values = torch.where(which < 0.25, torch.copysign(torch.zeros_like(normal), normal), normal)
    return torch.where(which > 1 - 1 / 64, (30 if narrow else 1000) * values, values)


def _clustered(normal: torch.Tensor, eps: float) -> torch.Tensor:
    """Rows with a maximum at an end, with several that are equal, or that differ in their last digit.

    Along other dimensions the last slice has the largest values.
    """
    values, width = normal / 2, normal.shape[-1] if normal.dim() else 1
    for dim, size in enumerate(normal.shape[:-1]):
        if size > 1:
            values.select(dim, size - 1).add_(4.0)
    if width < 4:
        return values
    rows = values.reshape(-1, width)
    top = rows.amax(1) + 2
    patterns = (
        {-1: 0},
        {0: 0},
        {-2: 1, -1: 0},
        {0: 2, width // 2: 1, -1: 0},
        {-1: 1, width // 2: 0, 0: 2},
        {0: 0, width // 2: 0, -2: 0, -1: 0},
    )
    which = (torch.arange(len(rows), device=rows.device) + int(torch.randint(len(patterns), ()))) % len(patterns)
    for number, pattern in enumerate(patterns):
        chosen = which == number
        for place, digits in pattern.items():
            rows[chosen, place] = top[chosen] * (1 - digits * eps)
    return rows.reshape(normal.shape)


def _near_an_end(tensor: torch.Tensor, invariant: InputInvariant, lasting: bool) -> torch.Tensor:
    """Decays that hardly forget in thousands of steps, or that forget all at once; within the range that was seen."""
    tiny = 10.0 ** (-2 - 3 * torch.rand(tensor.shape, device=tensor.device))
    if invariant.high <= 0.0:
        values = -tiny if lasting else invariant.low * (1 - tiny)
    else:
        values = 1 - tiny if lasting else tiny
    return values.clamp(invariant.low, invariant.high)


def _by_slice(values: torch.Tensor, large: float, small: float) -> torch.Tensor:
    """Factors, all the same within a slice along the first dimension that has several."""
    dim = next((d for d, size in enumerate(values.shape) if size > 1), 0)
    shape = [size if d == dim else 1 for d, size in enumerate(values.shape)]
    count = values.shape[dim] if values.dim() else 1
    order, share = torch.randperm(count, device=values.device), max(1, count // 4)
    factors = torch.where(order < share, large, torch.where(order >= count - share, small, 1.0))
    return factors.reshape(shape)


def _at_borders(tensor: torch.Tensor, invariant: InputInvariant) -> torch.Tensor:
    """Some lengths at the ends of their range; one row of a mask all masked, another not at all."""
    if invariant.masks is None or invariant.mask is None:
        found = tensor.clone()
        flat = found.reshape(-1)
        count = min(len(invariant.lengths), max(1, flat.numel() // 2))
        chosen = torch.randperm(len(invariant.lengths))[:count].tolist()
        places = torch.randperm(flat.numel())[:count].tolist()
        for place, number in zip(places, chosen, strict=True):
            flat[place] = invariant.lengths[number]
        return flat.view(tensor.shape) if found.is_contiguous() else found.copy_(flat.view(tensor.shape))
    hidden = _masked(tensor).clone().reshape(-1, tensor.shape[-1])
    varies, seen = (one.reshape(hidden.shape) for one in (invariant.masks, invariant.mask))
    rows = torch.randperm(len(hidden))[:2].tolist()
    for row, value in zip(rows, (True, False), strict=False):
        # What did not vary may do so rarely: from another draw it could make a hole in a padding.
        hidden[row] = torch.where(varies[row], value, seen[row])
    hidden = hidden.view(tensor.shape)
    if tensor.dtype == torch.bool:
        return torch.empty_like(tensor).copy_(hidden)
    return torch.empty_like(tensor).copy_(torch.where(hidden, -torch.inf, 0.0))
