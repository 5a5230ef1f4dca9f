"""Rotary position embedding of queries, half by half."""

import torch


class Model(torch.nn.Module):
    def forward(self, q, cos, sin):
        half = q.shape[-1] // 2
        a, b = q[..., :half], q[..., half:]
        cos, sin = cos[None, :, None], sin[None, :, None]
        return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


def get_inputs():
    angle = torch.rand(19, 16) * 6.0
    return [torch.randn(2, 19, 3, 32), torch.cos(angle), torch.sin(angle)]


def get_init_inputs():
    return []
