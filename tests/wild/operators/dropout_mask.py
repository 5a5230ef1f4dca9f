"""Dropout whose mask is given, so that everybody drops the same."""

import torch


class Model(torch.nn.Module):
    def forward(self, x, keep):
        return torch.where(keep, x / 0.7, torch.zeros_like(x))


def get_inputs():
    return [torch.randn(11, 200), torch.rand(11, 200) > 0.3]


def get_init_inputs():
    return []
