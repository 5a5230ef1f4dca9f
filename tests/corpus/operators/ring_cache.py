"""A module that keeps the last rows in a ring: the buffer changes with each call, and so does what is returned."""

import torch


class Model(torch.nn.Module):
    def __init__(self, room, width):
        super().__init__()
        self.register_buffer("ring", torch.ones(room, width))

    def forward(self, rows, at):
        places = (at + torch.arange(len(rows), device=rows.device)) % len(self.ring)
        self.ring[places] = rows
        return self.ring.amax(0)


def get_inputs():
    return [torch.randn(5, 24), 9]


def get_init_inputs():
    return [12, 24]
