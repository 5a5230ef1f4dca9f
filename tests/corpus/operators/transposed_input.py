"""Inputs that are not contiguous: a transposed view and an expanded row."""

import torch


class Model(torch.nn.Module):
    def forward(self, x, row):
        return torch.tanh(x + row)


def get_inputs():
    return [torch.randn(33, 21).t(), torch.randn(1, 33).expand(21, 33)]


def get_init_inputs():
    return []
