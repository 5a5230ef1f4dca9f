"""Group normalisation followed by SiLU."""

import torch


class Model(torch.nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(channels))
        self.bias = torch.nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        return torch.nn.functional.silu(torch.nn.functional.group_norm(x, 3, self.weight, self.bias, 1e-5))


def get_inputs():
    return [torch.randn(2, 12, 9, 11)]


def get_init_inputs():
    return [12]
