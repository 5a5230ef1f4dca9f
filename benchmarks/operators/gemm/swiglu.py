"""SwiGLU: two products, one of which gates the other."""

import torch
from torch import nn
from torch.nn import functional as F


class Model(nn.Module):
    """[m, k] gives [m, n]."""

    def __init__(self, k: int, n: int) -> None:
        super().__init__()
        self.gate = nn.Linear(k, n, bias=False)
        self.up = nn.Linear(k, n, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.silu(self.gate(x)) * self.up(x)


def get_inputs(m: int = 256, k: int = 256) -> list[torch.Tensor]:
    return [torch.randn(m, k)]


def get_init_inputs(k: int = 256, n: int = 384) -> list[int]:
    return [k, n]
