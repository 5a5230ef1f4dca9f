"""log-sum-exp over the middle one of three dimensions, whose elements lie far apart: the reference of logsumexp_middle."""

import torch
from torch import nn


class Model(nn.Module):
    """logsumexp over dimension 1: x [batch, length, cols] gives [batch, cols]."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.logsumexp(x, dim=1)


def get_inputs(batch: int = 16, length: int = 1024, cols: int = 96) -> list[torch.Tensor]:
    return [torch.randn(batch, length, cols)]


def get_init_inputs() -> list[object]:
    return []
