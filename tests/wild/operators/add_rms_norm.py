"""A residual is added, and the sum normalised by its root mean square; both are given back."""

import torch


class Model(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(width))

    def forward(self, x, residual):
        total = x + residual
        wide = total.float() if total.dtype in (torch.float16, torch.bfloat16) else total
        normal = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + 1e-5)
        return normal.to(total.dtype) * self.weight, total


def get_inputs():
    return [torch.randn(13, 144), torch.randn(13, 144)]


def get_init_inputs():
    return [144]
