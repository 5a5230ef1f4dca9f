"""BatchNorm with the statistics that it was given, as in inference."""

import torch
from torch import nn
from torch.nn import functional as F


class Model(nn.Module):
    """x [batch, channels, side, side] with mean and variance [channels] gives the shape of x."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels))
        self.shift = nn.Parameter(torch.zeros(channels))

    def forward(self, x: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
        return F.batch_norm(x, mean, variance, self.gain, self.shift)


def get_inputs(batch: int = 4, channels: int = 32, side: int = 28) -> list[torch.Tensor]:
    return [torch.randn(batch, channels, side, side), torch.randn(channels), torch.rand(channels) + 0.5]


def get_init_inputs(channels: int = 32) -> list[int]:
    return [channels]
