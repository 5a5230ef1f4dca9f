"""RMS normalisation over the channels of an image; level 1, problem 36."""

import torch
from torch import nn

batch_size = 16
features = 64
height = 128
width = 128


class Model(nn.Module):
    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x / torch.sqrt(torch.mean(x**2, dim=1, keepdim=True) + self.eps)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(batch_size, features, height, width)]


def get_init_inputs() -> list[object]:
    return [features]
