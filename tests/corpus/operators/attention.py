"""Attention under a boolean mask (true: may be seen) that hides every key from one query, whose row is NaN."""

import torch


class Model(torch.nn.Module):
    def forward(self, q, k, v, mask):
        scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
        return torch.softmax(scores.masked_fill(~mask, float("-inf")), dim=-1) @ v


def get_inputs():
    n, d = 21, 16
    mask = torch.ones(n, n, dtype=torch.bool).tril()
    mask[5] = False
    return [torch.randn(2, n, d), torch.randn(2, n, d), torch.randn(2, n, d), mask]


def get_init_inputs():
    return []
