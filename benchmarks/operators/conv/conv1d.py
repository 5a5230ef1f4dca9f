"""A convolution along time with a stride."""

import torch
from torch import nn


class Model(nn.Module):
    """[batch, inner, length] gives [batch, outer, about half of length]."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inner, outer, 5, stride=2, padding=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


def get_inputs(batch: int = 4, inner: int = 32, length: int = 512) -> list[torch.Tensor]:
    return [torch.randn(batch, inner, length)]


def get_init_inputs(inner: int = 32, outer: int = 48) -> list[int]:
    return [inner, outer]
