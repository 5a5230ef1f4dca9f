"""GroupNorm with four channels to a group."""

import torch
from torch import nn


class Model(nn.Module):
    """[batch, channels, side, side] gives the same shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(channels // 4, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(x)


def get_inputs(batch: int = 4, channels: int = 32, side: int = 28) -> list[torch.Tensor]:
    return [torch.randn(batch, channels, side, side)]


def get_init_inputs(channels: int = 32) -> list[int]:
    return [channels]
