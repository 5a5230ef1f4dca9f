"""How often each of 40 classes occurs."""

import torch


class Model(torch.nn.Module):
    def forward(self, classes):
        return torch.zeros(40, dtype=torch.int32).index_add_(0, classes, torch.ones_like(classes, dtype=torch.int32))


def get_inputs():
    return [torch.randint(0, 40, (2003,))]


def get_init_inputs():
    return []
