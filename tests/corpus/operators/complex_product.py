"""Complex numbers times others' conjugates."""

import torch


class Model(torch.nn.Module):
    def forward(self, x, y):
        return x * y.conj()


def get_inputs():
    return [torch.complex(torch.rand(40, 65), torch.rand(40, 65)) for _ in range(2)]


def get_init_inputs():
    return []
