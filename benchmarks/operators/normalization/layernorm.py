"""LayerNorm over the last dimension."""

import torch
from torch import nn


class Model(nn.Module):
    """[rows, columns] gives the same shape."""

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(columns)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(x)


def get_inputs(rows: int = 512, columns: int = 768) -> list[torch.Tensor]:
    return [torch.randn(rows, columns)]


def get_init_inputs(columns: int = 768) -> list[int]:
    return [columns]
