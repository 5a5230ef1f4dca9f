"""Bias and GELU with its derivative, in half, bfloat16 or float."""

import torch


class Model(torch.nn.Module):
    def __init__(self, features, approximate="tanh"):
        super().__init__()
        self.act = torch.nn.GELU(approximate=approximate)
        self.bias = torch.nn.Parameter(torch.zeros(features))

    def forward(self, x):
        return self.act(x + self.bias)


def get_inputs():
    return [torch.randn(3, 21, 96)]


def get_init_inputs():
    return [96]
