"""Rows of a table by token, with a position added."""

import torch
from torch import nn
from torch.nn import functional as F


class Model(nn.Module):
    """tokens [batch, length], table [vocabulary, width] and positions [length, width] give [batch, length, width]."""

    def forward(self, tokens: torch.Tensor, table: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        return F.embedding(tokens, table) + positions


def get_inputs(batch: int = 8, length: int = 128, vocabulary: int = 1000, width: int = 128) -> list[torch.Tensor]:
    return [torch.randint(0, vocabulary, (batch, length)), torch.randn(vocabulary, width), torch.randn(length, width)]


def get_init_inputs() -> list[object]:
    return []
