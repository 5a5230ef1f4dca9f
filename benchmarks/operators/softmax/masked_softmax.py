"""Softmax over the columns that a mask leaves."""

import torch
from torch import nn


class Model(nn.Module):
    """scores [rows, columns] and mask [rows, columns] of bool give the shape of scores."""

    def forward(self, scores: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return torch.softmax(scores.masked_fill(mask, -1e9), dim=-1)


def get_inputs(rows: int = 512, columns: int = 1024) -> list[torch.Tensor]:
    return [torch.randn(rows, columns), torch.rand(rows, columns) > 0.7]


def get_init_inputs() -> list[object]:
    return []
