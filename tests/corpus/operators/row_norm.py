"""The Euclidean norm of each row."""

import torch


class Model(torch.nn.Module):
    def forward(self, x):
        return torch.linalg.vector_norm(x, dim=-1)


def get_inputs():
    return [torch.randn(20, 4003)]


def get_init_inputs():
    return []
