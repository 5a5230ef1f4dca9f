"""Rows scaled by their largest magnitude and rounded to eight bits, given back as numbers beside the scales."""

import torch


class Model(torch.nn.Module):
    def forward(self, x):
        scale = x.abs().amax(-1, keepdim=True).clamp(min=1e-12) / 448.0
        q = (x / scale).clamp(-448.0, 448.0).to(torch.float8_e4m3fn).to(x.dtype)
        return q * scale, scale.squeeze(-1)


def get_inputs():
    return [torch.randn(17, 130)]


def get_init_inputs():
    return []
