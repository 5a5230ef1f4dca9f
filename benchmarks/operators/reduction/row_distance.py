"""The Euclidean distance between rows."""

import torch
from torch import nn


class Model(nn.Module):
    """Two tensors [rows, columns] give [rows]."""

    def forward(self, x: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        return (x - other).pow(2).sum(dim=1).sqrt()


def get_inputs(rows: int = 512, columns: int = 1024) -> list[torch.Tensor]:
    return [torch.randn(rows, columns), torch.randn(rows, columns)]


def get_init_inputs() -> list[object]:
    return []
