"""A linear layer and exact GELU in float32: the reference of matmul_gelu."""

import torch
from torch import nn


class Model(nn.Module):
    """gelu(x W^T + b): x [m, k] gives [m, n]."""

    def __init__(self, k: int, n: int) -> None:
        super().__init__()
        self.linear = nn.Linear(k, n)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.gelu(self.linear(x))


def get_inputs(m: int = 256, k: int = 256) -> list[torch.Tensor]:
    return [torch.randn(m, k)]


def get_init_inputs(k: int = 256, n: int = 256) -> list[int]:
    return [k, n]
