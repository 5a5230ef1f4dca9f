"""LayerNorm over the last dimension in float32, with weight and bias: the reference of layernorm_migrate."""

import torch
from torch import nn


class Model(nn.Module):
    """LayerNorm: x [rows, cols] with weight [cols] and bias [cols] gives the same shape."""

    def __init__(self, cols: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(cols))
        self.bias = nn.Parameter(torch.zeros(cols))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.layer_norm(x, (x.shape[-1],), self.weight, self.bias, eps=1e-5)


def get_inputs(rows: int = 64, cols: int = 4096) -> list[torch.Tensor]:
    return [torch.randn(rows, cols)]


def get_init_inputs(cols: int = 4096) -> list[int]:
    return [cols]
