"""Softmax of scaled scores with a bias for each column, in one operator: the reference of masked_softmax."""

import torch
from torch import nn


class Model(nn.Module):
    """softmax(scale * x + bias): x [rows, cols] and bias [cols] give [rows, cols], rows that sum to one."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, x: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        return torch.softmax(x * self.scale + bias, dim=-1)


def get_inputs(rows: int = 256, cols: int = 2048) -> list[torch.Tensor]:
    return [torch.randn(rows, cols), torch.randn(cols)]


def get_init_inputs(scale: float = 0.125) -> list[float]:
    return [scale]
