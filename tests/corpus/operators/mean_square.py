"""The mean of squared differences, over everything."""

import torch


class Model(torch.nn.Module):
    def forward(self, guess, truth):
        return torch.nn.functional.mse_loss(guess, truth)


def get_inputs():
    return [torch.randn(120, 801), torch.randn(120, 801)]


def get_init_inputs():
    return []
