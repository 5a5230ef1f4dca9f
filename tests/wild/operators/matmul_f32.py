"""A plain product."""

import torch


class Model(torch.nn.Module):
    def forward(self, a, b):
        return a @ b


def get_inputs():
    return [torch.randn(48, 256), torch.randn(256, 40)]


def get_init_inputs():
    return []
