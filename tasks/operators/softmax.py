"""Softmax over each row, in the form of KernelBench: sizes are globals of the module, a task's cases set them."""

import torch
from torch import nn

batch_size = 128
dim = 1024


class Model(nn.Module):
    """Softmax over dimension 1: x [batch_size, dim] gives the same shape, rows that sum to one."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(x, dim=1)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(batch_size, dim)]


def get_init_inputs() -> list[object]:
    return []
