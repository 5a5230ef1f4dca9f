"""Rows with their mean taken away and their spread divided out, without a weight."""

import torch

shape = dict(rows=24, cols=256)


class Model(torch.nn.Module):
    def forward(self, x):
        return torch.nn.functional.layer_norm(x, x.shape[-1:])


def get_inputs():
    return [torch.randn(shape["rows"], shape["cols"])]


def get_init_inputs():
    return None
