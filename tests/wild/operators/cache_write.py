"""Keys of new tokens go to their slots in a cache of blocks."""

import torch


class Model(torch.nn.Module):
    def forward(self, cache, key, slots):
        written = cache.clone()
        flat = written.view(-1, *cache.shape[2:])
        flat[slots] = key
        return written


def get_inputs():
    return [torch.randn(6, 4, 3, 16), torch.randn(9, 3, 16), torch.randperm(24)[:9]]


def get_init_inputs():
    return []
