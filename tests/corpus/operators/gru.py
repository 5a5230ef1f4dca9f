"""A recurrent cell over a sequence: the last state depends on every step."""

import torch


class Model(torch.nn.Module):
    def __init__(self, inputs, hidden):
        super().__init__()
        self.gru = torch.nn.GRU(inputs, hidden, batch_first=True)

    def forward(self, x):
        out, last = self.gru(x)
        return out, last


def get_inputs():
    return [torch.randn(3, 9, 10)]


def get_init_inputs():
    return [10, 12]
