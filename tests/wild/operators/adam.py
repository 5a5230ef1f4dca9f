"""One step of Adam: new parameters and both moments."""

import torch


class Model(torch.nn.Module):
    def forward(self, parameter, gradient, first, second):
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient * gradient
        return parameter - 0.01 * (first / 0.1) / (torch.sqrt(second / 0.001) + 1e-8), first, second


def get_inputs():
    return [torch.randn(37, 29), torch.randn(37, 29), torch.randn(37, 29), torch.rand(37, 29)]


def get_init_inputs():
    return []
