"""The sum of all that follows each step, itself included."""

import torch
from torch import nn


class Model(nn.Module):
    """[batch, steps, channels] gives the same shape."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flip(1).cumsum(dim=1).flip(1)


def get_inputs(batch: int = 8, steps: int = 200, channels: int = 64) -> list[torch.Tensor]:
    return [torch.randn(batch, steps, channels)]


def get_init_inputs() -> list[object]:
    return []
