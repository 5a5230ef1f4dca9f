"""RMS norm, then each token's largest magnitude as a scale and rounding to float8."""

import torch


class Model(torch.nn.Module):
    def forward(self, x, weight):
        y = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * weight
        scale = y.abs().amax(-1, keepdim=True).clamp(min=1e-8) / 448.0
        return (y / scale).clamp(-448, 448).to(torch.float8_e4m3fn), scale


def get_inputs():
    return [torch.randn(9, 200), torch.randn(200)]


def get_init_inputs():
    return []
