"""Mean and variance of each row."""

import torch
from torch import nn


class Model(nn.Module):
    """[rows, columns] gives two tensors [rows]."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        variance, mean = torch.var_mean(x, dim=1)
        return mean, variance


def get_inputs(rows: int = 512, columns: int = 1024) -> list[torch.Tensor]:
    return [torch.randn(rows, columns)]


def get_init_inputs() -> list[object]:
    return []
