"""Minus infinity where the mask is set."""

import torch


class Model(torch.nn.Module):
    def forward(self, x, mask):
        return x.masked_fill(mask, float("-inf"))


def get_inputs():
    return [torch.rand(13, 77), torch.rand(13, 77) < 0.3]


def get_init_inputs():
    return []
