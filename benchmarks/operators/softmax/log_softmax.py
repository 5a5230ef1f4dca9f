"""The logarithm of softmax over the middle dimension."""

import torch
from torch import nn


class Model(nn.Module):
    """[batch, classes, positions] gives the same shape."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.log_softmax(x, dim=1)


def get_inputs(batch: int = 8, classes: int = 200, positions: int = 256) -> list[torch.Tensor]:
    return [torch.randn(batch, classes, positions)]


def get_init_inputs() -> list[object]:
    return []
