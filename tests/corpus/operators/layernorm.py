"""Layer normalisation with a weight and a bias."""

import torch


class Model(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))

    def forward(self, x):
        return torch.nn.functional.layer_norm(x, self.weight.shape, self.weight, self.bias)


def get_inputs():
    return [torch.rand(19, 259)]


def get_init_inputs():
    return [259]
