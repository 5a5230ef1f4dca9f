"""Whole numbers: a hash of pairs, a count, and a mask."""

import torch


class Model(torch.nn.Module):
    def forward(self, a, b):
        mixed = (a << 3) ^ b
        return mixed, (a > b).sum(dim=0), (mixed & 1).bool()


def get_inputs():
    return [torch.randint(0, 1000, (31, 17), dtype=torch.int32), torch.randint(0, 1000, (31, 17), dtype=torch.int32)]


def get_init_inputs():
    return []
