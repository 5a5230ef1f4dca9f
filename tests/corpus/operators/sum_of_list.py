"""A list of tensors, a number and nothing: a scaled sum; empty rows too."""

import torch


class Model(torch.nn.Module):
    def forward(self, parts, scale, mask, mode):
        total = torch.stack(parts).sum(dim=0) * scale
        return total if mask is None else total * mask


def get_inputs_dyn_list():
    return [
        [[torch.randn(5, 8) for _ in range(3)], 1.5, None, "sum"],
        [[torch.randn(1, 130) for _ in range(2)], 2.0, torch.randn(130), "sum"],
        [[torch.randn(0, 4) for _ in range(2)], 2.0, None, "sum"],
    ]


def get_init_inputs():
    return []
