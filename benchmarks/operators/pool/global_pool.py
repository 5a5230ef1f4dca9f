"""The mean and the maximum of each channel, side by side."""

import torch
from torch import nn


class Model(nn.Module):
    """[batch, channels, side, side] gives [batch, 2 channels]."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat((x.mean(dim=(2, 3)), x.amax(dim=(2, 3))), dim=1)


def get_inputs(batch: int = 8, channels: int = 64, side: int = 28) -> list[torch.Tensor]:
    return [torch.randn(batch, channels, side, side)]


def get_init_inputs() -> list[object]:
    return []
