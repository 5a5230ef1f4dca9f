"""A matrix product in three shapes that no tile divides, one of them a single row and column."""

import torch

SHAPES = ((33, 96, 17), (64, 128, 48), (1, 40, 1))


class Model(torch.nn.Module):
    def forward(self, a, b):
        return torch.matmul(a, b)


def get_inputs_dyn_list():
    return [[torch.rand(m, k), torch.rand(k, n)] for m, k, n in SHAPES]


def get_init_inputs():
    return []
