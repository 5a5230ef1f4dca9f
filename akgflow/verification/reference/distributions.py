"""What an operator's own inputs promise, and other distributions that keep it.

A kernel may rely on what every input of its operator has in common: a triangular matrix, a table of cosines, rows that
sum to one. Two draws of the operator's own inputs show it. What they do not have in common may be drawn otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from akgflow.verification.reference.tolerance import real

OPERATOR = "operator"
"""The operator's own ``get_inputs`` under a fresh seed."""
NORMAL = "normal"
WIDE = "wide"
TIES = "ties"
EXTREMES = "extremes"
NEGATIVE = "negative"
FAINT = "faint"
EXTRA = (WIDE, TIES, EXTREMES, NEGATIVE, FAINT)

SIGNED, POSITIVE, WITHIN = "signed", "positive", "within"
"""Ways to draw: any sign, magnitudes only, and squeezed into the range of the operator's own values."""
WAYS = (SIGNED, POSITIVE, WITHIN)
_SAMPLE = 4096


@dataclass(frozen=True)
class Promise:
    """What one input tensor keeps from draw to draw.

    A complex tensor is taken as pairs of real numbers. ``drawn`` is false for what is no floating tensor or is chosen
    rather than drawn; nothing else matters then. ``zeros`` marks elements that are always zero; ``sums_to_one`` and
    ``ascends`` name a dimension.
    """

    drawn: bool
    zeros: torch.Tensor | None = None
    symmetric: bool = False
    sums_to_one: int | None = None
    ascends: int | None = None
    low: float = 0.0
    high: float = 0.0

    @property
    def plain(self) -> bool:
        """True when elements have nothing to do with one another: they may be moved about and scaled."""
        tied = self.symmetric or self.zeros is not None or self.sums_to_one is not None or self.ascends is not None
        return self.drawn and not tied


def promise(one: torch.Tensor, other: torch.Tensor) -> Promise:
    """What two draws of the same input, under different seeds, have in common."""
    one, other = real(one), real(other)
    if not (is_free(one) and is_free(other)) or one.shape != other.shape or torch.equal(one, other):
        return Promise(False)
    both = (one, other)
    zeros = (one == 0) & (other == 0)
    square = one.dim() >= 2 and one.shape[-1] == one.shape[-2] > 1
    return Promise(
        drawn=True,
        zeros=zeros if int(zeros.sum()) > max(2, one.numel() // 1000) else None,
        symmetric=square and all(bool(torch.equal(t, t.mT)) for t in both),
        sums_to_one=next((d for d in range(one.dim()) if all(_sums_to_one(t, d) for t in both)), None),
        ascends=next((d for d in range(one.dim()) if all(_ascends(t, d) for t in both)), None),
        low=float(min(t.min() for t in both)),
        high=float(max(t.max() for t in both)),
    )


def is_free(tensor: torch.Tensor) -> bool:
    """True for floating tensors that look drawn rather than chosen: finite, more than two values, not all whole."""
    if not tensor.is_floating_point() or tensor.numel() < 3:
        return False
    sample = tensor.flatten()[:: max(1, tensor.numel() // _SAMPLE)].float()
    if not bool(torch.isfinite(sample).all()) or bool((sample == sample.round()).all()):
        return False
    return bool(sample.unique().numel() > 2)


def _sums_to_one(tensor: torch.Tensor, dim: int) -> bool:
    if tensor.shape[dim] < 2 or not bool((tensor >= 0).all()):
        return False
    sums = tensor.float().sum(dim)
    return bool(((sums - 1).abs() < 8 * torch.finfo(tensor.dtype).eps * tensor.shape[dim] ** 0.5).all())


def _ascends(tensor: torch.Tensor, dim: int) -> bool:
    return tensor.shape[dim] >= 8 and bool((tensor.diff(dim=dim) >= 0).all())


def redraw(tensor: torch.Tensor, kept: Promise, distribution: str, way: str) -> torch.Tensor:
    """A tensor of the same layout from another distribution that keeps the promise."""
    if not kept.drawn:
        return tensor
    if tensor.is_complex():
        return torch.view_as_complex(redraw(real(tensor), kept, distribution, way))
    values = _values(tensor, distribution)
    if way == POSITIVE:
        values = values.abs()
    elif way == WITHIN:
        values = kept.low + (kept.high - kept.low) * torch.sigmoid(values)
    if kept.symmetric:
        values = values.tril() + values.tril(-1).mT
    if kept.sums_to_one is not None:
        values = torch.softmax(values.clamp(-8, 8), kept.sums_to_one)
    if kept.ascends is not None:
        values = values.sort(kept.ascends).values
    if kept.zeros is not None:
        values = values.masked_fill(kept.zeros, 0.0)
    return torch.empty_like(tensor, memory_format=torch.preserve_format).copy_(values)


def _values(tensor: torch.Tensor, distribution: str) -> torch.Tensor:
    """Float32 values of the tensor's shape. Where products of large ones would not fit its dtype, they are smaller.

    ``wide``: magnitudes from 0.001 to 100 (10), by decades alike frequent. ``ties``: multiples of a half, many of them
    equal. ``extremes``: a quarter are zeros of either sign, one in 64 is a thousand (thirty) times as large.
    ``negative``: none above -0.1, where a maximum that starts at zero is wrong. ``faint``: about half of the slices
    along the first dimension are a thousand (hundred) times smaller, where an epsilon shows.
    """
    normal = torch.randn(tensor.shape, device=tensor.device, dtype=torch.float32)
    if distribution == NORMAL:
        return normal
    if distribution == NEGATIVE:
        return -0.1 - normal.abs()
    if distribution == TIES:
        return (2 * normal).round() / 2
    if distribution == FAINT:
        return normal * _faint(tensor)
    narrow, which = torch.finfo(tensor.dtype).bits < 32, torch.rand_like(normal)
    if distribution == WIDE:
        return 10.0 ** ((4 if narrow else 5) * which - 3) * normal.sign()
    values = torch.where(which < 0.25, torch.copysign(torch.zeros_like(normal), normal), normal)
    return torch.where(which > 1 - 1 / 64, (30 if narrow else 1000) * values, values)


def _faint(tensor: torch.Tensor) -> torch.Tensor:
    """Factors, all the same within a slice along the first dimension that has several."""
    dim = next((d for d, size in enumerate(tensor.shape) if size > 1), 0)
    shape = [size if d == dim else 1 for d, size in enumerate(tensor.shape)]
    count = tensor.shape[dim]
    small = 1e-2 if torch.finfo(tensor.dtype).bits < 32 else 1e-3
    chosen = torch.randperm(count, device=tensor.device) < max(1, count // 2)
    return torch.where(chosen, small, 1.0).reshape(shape)
