"""A convolution with a bias and a ReLU."""

import torch
from torch import nn


class Model(nn.Module):
    """[batch, inner, side, side] gives [batch, outer, side, side]."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inner, outer, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.conv(x))


def get_inputs(batch: int = 4, inner: int = 16, side: int = 32) -> list[torch.Tensor]:
    return [torch.randn(batch, inner, side, side)]


def get_init_inputs(inner: int = 16, outer: int = 32) -> list[int]:
    return [inner, outer]
