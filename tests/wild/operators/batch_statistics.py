"""Statistics of a batch for each channel: mean, inverse deviation, and the normalised activations."""

import torch


class Model(torch.nn.Module):
    def forward(self, x):
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
        inv = torch.rsqrt(var + 1e-5)
        return mean, inv, (x - mean[:, None, None]) * inv[:, None, None]


def get_inputs():
    return [torch.randn(5, 6, 9, 7) + 0.5]


def get_init_inputs():
    return []
