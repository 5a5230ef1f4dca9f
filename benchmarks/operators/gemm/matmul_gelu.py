"""A matrix product with a bias and a GELU."""

import torch
from torch import nn
from torch.nn import functional as F


class Model(nn.Module):
    """x [m, k] with weight [n, k] and bias [n] gives [m, n]."""

    def __init__(self, k: int, n: int) -> None:
        super().__init__()
        self.linear = nn.Linear(k, n)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.gelu(self.linear(x))


def get_inputs(m: int = 256, k: int = 256) -> list[torch.Tensor]:
    return [torch.randn(m, k)]


def get_init_inputs(k: int = 256, n: int = 256) -> list[int]:
    return [k, n]
