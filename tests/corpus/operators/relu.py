"""What is above zero."""

import torch


class Model(torch.nn.Module):
    def forward(self, x):
        return torch.relu(x)


def get_inputs_dyn_list():
    return [[torch.randn(64, 16)], [torch.randn(3, 1001)]]


def get_init_inputs():
    return []
