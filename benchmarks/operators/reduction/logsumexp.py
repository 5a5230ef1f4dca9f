"""The logarithm of the sum of exponentials of each row."""

import torch
from torch import nn


class Model(nn.Module):
    """[rows, columns] gives [rows]."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.logsumexp(x, dim=1)


def get_inputs(rows: int = 512, columns: int = 1024) -> list[torch.Tensor]:
    return [torch.randn(rows, columns)]


def get_init_inputs() -> list[object]:
    return []
