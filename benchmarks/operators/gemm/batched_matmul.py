"""A product of matrices for each member of a batch."""

import torch
from torch import nn


class Model(nn.Module):
    """[batch, m, k] with [batch, k, n] gives [batch, m, n]."""

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        return torch.bmm(left, right)


def get_inputs(batch: int = 16, m: int = 128, n: int = 96, k: int = 64) -> list[torch.Tensor]:
    return [torch.randn(batch, m, k), torch.randn(batch, k, n)]


def get_init_inputs() -> list[object]:
    return []
