"""Products of several pairs of matrices of different sizes, in one call."""

import torch

SIZES = [(40, 24, 33), (16, 64, 16), (5, 7, 50)]


class Model(torch.nn.Module):
    @torch.no_grad()
    def forward(self, *, group_A: list[torch.Tensor], group_B: list[torch.Tensor]):
        return [a @ b for a, b in zip(group_A, group_B, strict=True)]


def get_inputs():
    return {
        "group_A": [torch.randn(m, k) for m, n, k in SIZES],
        "group_B": [torch.randn(k, n) for m, n, k in SIZES],
    }


def get_init_inputs():
    return []
