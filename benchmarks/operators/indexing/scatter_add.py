"""Rows summed by the segment to which each belongs."""

import torch
from torch import nn


class Model(nn.Module):
    """x [rows, width] and segment [rows] of int64 give [64, width]."""

    def forward(self, x: torch.Tensor, segment: torch.Tensor) -> torch.Tensor:
        return torch.zeros(64, x.shape[1], dtype=x.dtype).index_add(0, segment, x)


def get_inputs(rows: int = 1024, width: int = 64) -> list[torch.Tensor]:
    return [torch.randn(rows, width), torch.randint(0, 64, (rows,))]


def get_init_inputs() -> list[object]:
    return []
