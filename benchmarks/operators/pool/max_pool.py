"""Max pooling, three by three, with a stride and padding."""

import torch
from torch import nn
from torch.nn import functional as F


class Model(nn.Module):
    """[batch, channels, height, width] gives about half the height and width."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.max_pool2d(x, 3, stride=2, padding=1)


def get_inputs(batch: int = 8, channels: int = 32, side: int = 56) -> list[torch.Tensor]:
    return [torch.randn(batch, channels, side, side)]


def get_init_inputs() -> list[object]:
    return []
