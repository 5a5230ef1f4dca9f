"""A product of two matrices of which each is given transposed."""

import torch
from torch import nn


class Model(nn.Module):
    """[k, m] with [n, k] gives [m, n]."""

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        return left.T @ right.T


def get_inputs(m: int = 256, n: int = 320, k: int = 384) -> list[torch.Tensor]:
    return [torch.randn(k, m), torch.randn(n, k)]


def get_init_inputs() -> list[object]:
    return []
