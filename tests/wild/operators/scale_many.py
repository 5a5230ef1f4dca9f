"""Many small tensors times one number."""

import torch


class Model(torch.nn.Module):
    def forward(self, a, b, c):
        return [t * 0.5 for t in (a, b, c)]


def get_inputs():
    return [torch.randn(100), torch.randn(37, 3), torch.randn(260)]


def get_init_inputs():
    return []
