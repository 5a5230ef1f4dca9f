"""Rows whose elements stand in an order that no independent draw gives them.

A kernel may take a way of its own for rows that are sorted, all equal, zero or like the row before, and a running
maximum may rise at every element. The values are the operator's own.
"""

from __future__ import annotations

from enum import IntEnum

import torch

LEAST = 4
"""Elements of a row that has an order."""


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
