"""A product in half precision and a leaky ReLU."""

import torch


class Model(torch.nn.Module):
    def forward(self, a, b):
        return torch.nn.functional.leaky_relu((a.float() @ b.float()), 0.01).half()


def get_inputs():
    return [torch.randn(70, 96).half(), torch.randn(96, 80).half()]


def get_init_inputs():
    return []
