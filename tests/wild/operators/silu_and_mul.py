"""A gated activation: the first half of each row, through SiLU, times the second."""

import torch


class Model(torch.nn.Module):
    def forward(self, x):
        gate, up = x.chunk(2, dim=-1)
        return torch.nn.functional.silu(gate) * up


def get_inputs():
    return [torch.randn(5, 7, 2 * 93)]


def get_init_inputs():
    return []
