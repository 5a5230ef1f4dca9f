"""A transposed convolution that doubles each side."""

import torch
from torch import nn


class Model(nn.Module):
    """[batch, inner, side, side] gives [batch, outer, 2 side, 2 side]."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(inner, outer, 4, stride=2, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


def get_inputs(batch: int = 2, inner: int = 16, side: int = 16) -> list[torch.Tensor]:
    return [torch.randn(batch, inner, side, side)]


def get_init_inputs(inner: int = 16, outer: int = 16) -> list[int]:
    return [inner, outer]
