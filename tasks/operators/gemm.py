"""relu(x @ weight + bias) in float32: the reference that tasks/gemm_migrate.yaml names."""

import torch
from torch import nn


class Model(nn.Module):
    """Matrix product with a bias and a ReLU: x [m, k] with weight [k, n] and bias [n] gives [m, n]."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(in_features, out_features) / in_features**0.5)
        self.bias = nn.Parameter(torch.randn(out_features))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x @ self.weight + self.bias)


def get_inputs(m: int = 256, k: int = 256) -> list[torch.Tensor]:
    return [torch.randn(m, k)]


def get_init_inputs(k: int = 256, n: int = 256) -> list[int]:
    return [k, n]
