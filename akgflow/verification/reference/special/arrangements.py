"""Rows whose elements stand in an order that no independent draw gives them.

A kernel may take a way of its own for rows that are sorted, all equal, zero or like the row before, and a running
maximum may rise at every element. The values are the operator's own, in fewer digits: added one by one, equal values
err by what each addition rounds away, always to the same side, and partial sums of sorted ones are far larger than the
whole. Where sums of values and of squares are exact, no sound order of summation is taken for a fault.
"""

from __future__ import annotations

import math
from enum import IntEnum

import torch

LEAST = 4
"""Elements of a row that has an order."""


def coarse(values: torch.Tensor) -> torch.Tensor:
    """Finite values, rounded to so few digits that sums of their squares are exact."""
    largest = float(values.abs().max()) if values.numel() else 0.0
    if not 0.0 < largest < math.inf:
        return values
    digits = 53 if values.dtype == torch.float64 else 24
    bits = max(4, (digits - math.ceil(math.log2(values.numel() + 1))) // 2)
    step = 2.0 ** (math.ceil(math.log2(largest)) - bits)
    return (values / step).round() * step


class Arrangement(IntEnum):
    """How far rows may be from a draw's own; each includes those before it."""

    SORTED = 0
    """Each row keeps its values."""
    EQUAL = 1
    """Some rows hold one of their values everywhere, or nearly those of the row before."""
    ZERO = 2
    """Some are zero, all along or but for their end."""


def arranged(values: torch.Tensor, how: Arrangement) -> torch.Tensor:
    """The rows along the last dimension, each in one of several orders that take turns from a random one on."""
    if values.dim() == 0 or values.shape[-1] < LEAST or not values.numel():
        return values
    rows = values.reshape(-1, values.shape[-1])
    begin = rows.shape[1] - max(1, rows.shape[1] // 8)
    count, result = (2, 5, 7)[how], rows.clone()
    first = int(torch.randint(count, ()))
    for order in range(count):
        start = (order - first) % count
        chosen = torch.arange(start, max(start, len(rows)), count, device=rows.device)
        if len(chosen):
            result[chosen] = _in_order(order, rows[chosen], rows[chosen - 1], begin)
    return result.reshape(values.shape)


def _in_order(order: int, rows: torch.Tensor, before: torch.Tensor, begin: int) -> torch.Tensor:
    match order:
        case 0 | 1:
            return rows.sort(1, descending=order == 1).values
        case 2:
            return rows[:, :1].expand_as(rows)
        case 3:
            # The next row begins like this one.
            return rows
        case 4:
            return torch.cat([before[:, :begin], rows[:, begin:]], 1)
        case 5:
            return torch.cat([torch.zeros_like(rows[:, :begin]), rows[:, begin:]], 1)
    return torch.zeros_like(rows)
