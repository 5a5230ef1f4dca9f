"""Square matrix multiplication; level 1, problem 1."""

import torch
from torch import nn

n = 1024


class Model(nn.Module):
    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return torch.matmul(a, b)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(n, n), torch.randn(n, n)]


def get_init_inputs() -> list[object]:
    return []
