"""Running sums of rows whose length is a keyword of get_inputs."""

import torch


class Model(torch.nn.Module):
    def forward(self, x):
        return torch.cumsum(x, dim=1)


def get_inputs(rows=7, length=250):
    return [torch.rand(rows, length)]


def get_init_inputs():
    return []
