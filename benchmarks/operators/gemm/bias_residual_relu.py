"""A linear layer whose result is added to a residual, then a ReLU."""

import torch
from torch import nn


class Model(nn.Module):
    """x [m, k] and residual [m, n] give [m, n]."""

    def __init__(self, k: int, n: int) -> None:
        super().__init__()
        self.linear = nn.Linear(k, n)

    def forward(self, x: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.linear(x) + residual)


def get_inputs(m: int = 256, n: int = 256, k: int = 256) -> list[torch.Tensor]:
    return [torch.randn(m, k), torch.randn(m, n)]


def get_init_inputs(k: int = 256, n: int = 256) -> list[int]:
    return [k, n]
