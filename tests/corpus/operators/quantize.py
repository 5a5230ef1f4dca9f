"""Rows as 8-bit integers and a scale for each."""

import torch


class Model(torch.nn.Module):
    def forward(self, x):
        scale = x.abs().amax(dim=1, keepdim=True).clamp(min=1e-8) / 127
        return torch.clamp(torch.round(x / scale), -128, 127).to(torch.int8), scale.squeeze(1)


def get_inputs():
    return [torch.randn(12, 150)]


def get_init_inputs():
    return []
