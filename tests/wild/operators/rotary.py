"""Rotary embedding: pairs of features of each head are turned by an angle that hangs on the position."""

import torch


class Model(torch.nn.Module):
    def forward(self, query, cos, sin):
        first, second = query.chunk(2, dim=-1)
        cos, sin = cos[:, None, :], sin[:, None, :]
        return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


def get_inputs():
    angle = torch.rand(11, 20)
    return [torch.randn(11, 3, 40), torch.cos(angle), torch.sin(angle)]


def get_init_inputs():
    return []
