"""Each token goes to the expert that a routing table names, and is multiplied by its vector and shifted by it."""

import torch


class Model(torch.nn.Module):
    def forward(self, x, scale, shift, expert):
        return x * scale[expert] + shift[expert]


def get_inputs():
    return [torch.randn(300, 20), torch.randn(6, 20), torch.randn(6, 20), torch.randint(0, 6, (300,))]


def get_init_inputs():
    return []
