"""The mean of squared differences over the elements that a mask keeps."""

import torch
from torch import nn


class Model(nn.Module):
    """Two tensors and mask [rows, columns] of bool give one number."""

    def forward(self, guess: torch.Tensor, truth: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        kept = mask.to(guess.dtype)
        return ((guess - truth).pow(2) * kept).sum() / kept.sum().clamp_min(1.0)


def get_inputs(rows: int = 256, columns: int = 1000) -> list[torch.Tensor]:
    return [torch.randn(rows, columns), torch.randn(rows, columns), torch.rand(rows, columns) > 0.3]


def get_init_inputs() -> list[object]:
    return []
