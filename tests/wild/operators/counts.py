"""How often each of 64 classes occurs."""

import torch


class Model(torch.nn.Module):
    def forward(self, classes):
        return torch.zeros(64, dtype=torch.int64, device=classes.device).index_add_(
            0, classes, torch.ones_like(classes)
        )


def get_inputs():
    return [torch.randint(0, 64, (3001,))]


def get_init_inputs():
    return []
