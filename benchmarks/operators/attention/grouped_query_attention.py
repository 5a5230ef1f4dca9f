"""Causal attention in which several heads of queries share one of keys and values."""

import torch
from torch import nn
from torch.nn import functional as F


class Model(nn.Module):
    """query [batch, groups * shared, length, width], key and value [batch, groups, length, width] give one as query."""

    def forward(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        return F.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=True)


def get_inputs(
    batch: int = 2, groups: int = 2, shared: int = 3, length: int = 96, width: int = 32
) -> list[torch.Tensor]:
    return [torch.randn(batch, heads, length, width) for heads in (groups * shared, groups, groups)]


def get_init_inputs() -> list[object]:
    return []
