"""RMS normalisation with a gain."""

import torch
from torch import nn


class Model(nn.Module):
    """[rows, columns] gives the same shape."""

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(columns))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.gain


def get_inputs(rows: int = 512, columns: int = 768) -> list[torch.Tensor]:
    return [torch.randn(rows, columns)]


def get_init_inputs(columns: int = 768) -> list[int]:
    return [columns]
