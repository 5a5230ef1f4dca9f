"""A matrix product of two inputs."""

import torch
from torch import nn


class Model(nn.Module):
    """[m, k] with [k, n] gives [m, n]."""

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        return left @ right


def get_inputs(m: int = 384, n: int = 384, k: int = 384) -> list[torch.Tensor]:
    return [torch.randn(m, k), torch.randn(k, n)]


def get_init_inputs() -> list[object]:
    return []
