"""Rotary position embedding of queries, each half turned against the other."""

import torch
from torch import nn


class Model(nn.Module):
    """x [batch, heads, length, width] with angles [length, width / 2] gives the shape of x."""

    def forward(self, x: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
        left, right = x.chunk(2, dim=-1)
        cosine, sine = torch.cos(angles), torch.sin(angles)
        return torch.cat((left * cosine - right * sine, left * sine + right * cosine), dim=-1)


def get_inputs(batch: int = 2, heads: int = 8, length: int = 256, half: int = 32) -> list[torch.Tensor]:
    return [torch.randn(batch, heads, length, 2 * half), torch.randn(length, half)]


def get_init_inputs() -> list[object]:
    return []
