"""Sums of the rows that belong together."""

import torch


class Model(torch.nn.Module):
    def forward(self, x, segment):
        return torch.zeros(37, x.shape[1]).index_add_(0, segment, x)


def get_inputs():
    return [torch.randn(500, 64), torch.randint(0, 37, (500,))]


def get_init_inputs():
    return []
