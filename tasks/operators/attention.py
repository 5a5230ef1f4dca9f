"""Causal attention of one layer in float32: the reference of attention_migrate."""

import torch
from torch import nn


class Model(nn.Module):
    """Each query sees the keys up to its own place: q, k, v [heads, length, dim] give the same shape.

    Scores are scaled by 1 / sqrt(dim). ``heads`` counts all heads of all batches.
    """

    def forward(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        scores = q @ k.transpose(1, 2) / q.shape[-1] ** 0.5
        later = torch.ones(q.shape[1], q.shape[1], dtype=torch.bool, device=q.device).triu(1)
        return torch.softmax(scores.masked_fill(later, float("-inf")), dim=-1) @ v


def get_inputs(heads: int = 8, length: int = 512, dim: int = 64) -> list[torch.Tensor]:
    return [torch.randn(heads, length, dim) for _ in range(3)]


def get_init_inputs() -> list[object]:
    return []
