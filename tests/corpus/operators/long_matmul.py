"""A product over many terms."""

import torch


class Model(torch.nn.Module):
    def forward(self, a, b):
        return a @ b


def get_inputs_dyn_list():
    return [[torch.rand(6, 40), torch.rand(40, 9)], [torch.rand(5, 3001), torch.rand(3001, 7)]]


def get_init_inputs():
    return []
