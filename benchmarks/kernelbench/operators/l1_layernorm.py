"""Layer normalisation over the last three dimensions; level 1, problem 40."""

import torch
from torch import nn

batch_size = 64
features = 16
height = 64
width = 64


class Model(nn.Module):
    def __init__(self, normalized_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.ln = nn.LayerNorm(normalized_shape)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.ln(x)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(batch_size, features, height, width)]


def get_init_inputs() -> list[object]:
    return [(features, height, width)]
