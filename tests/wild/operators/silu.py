"""SiLU, element by element."""

import torch


class Model(torch.nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(x)


def get_inputs():
    return [torch.randn(16, 333)]


def get_init_inputs():
    return []
