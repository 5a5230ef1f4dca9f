"""The mean over the middle of three dimensions."""

import torch
from torch import nn


class Model(nn.Module):
    """[batch, steps, channels] gives [batch, channels]."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(dim=1)


def get_inputs(batch: int = 32, steps: int = 200, channels: int = 130) -> list[torch.Tensor]:
    return [torch.randn(batch, steps, channels)]


def get_init_inputs() -> list[object]:
    return []
