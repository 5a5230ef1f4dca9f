"""The five largest of each row, with their places; many elements are equal."""

import torch


class Model(torch.nn.Module):
    def forward(self, x):
        return torch.topk(x, 5, dim=-1)


def get_inputs():
    return [torch.randint(0, 40, (9, 200)).float()]


def get_init_inputs():
    return []
