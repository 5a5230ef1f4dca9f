"""Causal attention over heads of equal width."""

import math

import torch


class Model(torch.nn.Module):
    def forward(self, q, k, v):
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        mask = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool, device=q.device).tril()
        return torch.softmax(scores.masked_fill(~mask, float("-inf")), dim=-1) @ v


B, H, T, D = 1, 2, 70, 32


def get_inputs():
    return [torch.randn(B, H, T, D) for _ in range(3)]


def get_init_inputs():
    return []
