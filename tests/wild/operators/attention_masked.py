"""Attention under a mask of blocks; a query that may see nothing gives zeros."""

import math

import torch


class Model(torch.nn.Module):
    def forward(self, q, k, v, blocks):
        mask = blocks.repeat_interleave(16, 0).repeat_interleave(16, 1)[: q.shape[-2], : k.shape[-2]]
        scores = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).masked_fill(~mask, float("-inf"))
        return torch.softmax(scores, dim=-1).masked_fill(~mask, 0.0) @ v


def get_inputs():
    blocks = torch.rand(3, 4) > 0.4
    blocks[1] = False
    return [torch.randn(2, 40, 16), torch.randn(2, 60, 16), torch.randn(2, 60, 16), blocks]


def get_init_inputs():
    return []
