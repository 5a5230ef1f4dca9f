"""What is positive, in order: how much that is hangs on the data."""

import torch


class Model(torch.nn.Module):
    def forward(self, x):
        return x[x > 0.5]


def get_inputs():
    return [torch.rand(40, 23)]


def get_init_inputs():
    return []
