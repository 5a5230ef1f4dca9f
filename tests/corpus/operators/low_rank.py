"""A matrix of low rank, added."""

import torch


class Model(torch.nn.Module):
    def __init__(self, rows, rank, columns):
        super().__init__()
        self.tall = torch.nn.Parameter(torch.randn(rows, rank))
        self.flat = torch.nn.Parameter(torch.randn(rank, columns))

    def forward(self, x):
        return x + self.tall @ self.flat


def get_inputs():
    return [torch.randn(128, 96)]


def get_init_inputs():
    return [128, 32, 96]
