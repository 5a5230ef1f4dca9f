"""Each column over the root of its mean square, in the form of KernelBench: sizes are globals, cases set them."""

import torch
from torch import nn

rows = 1024
cols = 64


class Model(nn.Module):
    """x [rows, cols] gives the same shape; eps is 1e-6."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.rsqrt(x.square().mean(dim=0, keepdim=True) + 1e-6)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(rows, cols)]


def get_init_inputs() -> list[object]:
    return []
