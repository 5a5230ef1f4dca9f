"""Where each row has its largest element, and a truth about it."""

import torch


class Model(torch.nn.Module):
    def forward(self, x):
        return x.argmax(dim=-1), x.isfinite().all()


def get_inputs():
    return [torch.randn(18, 77)]


def get_init_inputs():
    return []
