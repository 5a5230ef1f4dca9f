"""Sum over the middle dimension; level 1, problem 47."""

import torch
from torch import nn

batch_size = 64
rows = 1024
cols = 512


class Model(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sum(x, dim=self.dim, keepdim=True)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(batch_size, rows, cols)]


def get_init_inputs() -> list[object]:
    return [1]
