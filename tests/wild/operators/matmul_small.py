"""A product of two float matrices."""

import torch


class Model(torch.nn.Module):
    def forward(self, a, b):
        return a @ b


def get_inputs(m=40, n=36, k=64):
    return [torch.randn(m, k), torch.randn(k, n)]


def get_init_inputs():
    return []
