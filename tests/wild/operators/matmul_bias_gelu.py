"""A linear layer in half precision, summed in float32, with GELU."""

import torch


class Model(torch.nn.Module):
    def forward(self, a, b, bias):
        return torch.nn.functional.gelu(a.float() @ b.float() + bias.float()).half()


def get_inputs():
    return [torch.randn(64, 96).half(), torch.randn(96, 80).half(), torch.randn(80).half()]


def get_init_inputs():
    return []
