"""Rotary embedding of queries and of keys that fewer heads share."""

import torch


def turned(x, cos, sin):
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


class Model(torch.nn.Module):
    def forward(self, q, k, cos, sin):
        return turned(q, cos[None, None], sin[None, None]), turned(k, cos[None, None], sin[None, None])


def get_inputs():
    angle = torch.rand(21, 12) * 6.0
    return [torch.randn(2, 4, 21, 24), torch.randn(2, 2, 21, 24), torch.cos(angle), torch.sin(angle)]


def get_init_inputs():
    return []
