"""Attention in which no position sees a later one."""

import torch
from torch import nn
from torch.nn import functional as F


class Model(nn.Module):
    """Three tensors [batch, heads, length, width] give one of that shape."""

    def forward(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        return F.scaled_dot_product_attention(query, key, value, is_causal=True)


def get_inputs(batch: int = 2, heads: int = 4, length: int = 128, width: int = 32) -> list[torch.Tensor]:
    return [torch.randn(batch, heads, length, width) for _ in range(3)]


def get_init_inputs() -> list[object]:
    return []
