"""Tokens in the order of their experts, each expert's share filled up to whole blocks of eight.

What lies between an expert's last token and the end of its block is the number of tokens.
"""

import torch

EXPERTS, BLOCK = 6, 8


class Model(torch.nn.Module):
    def forward(self, ids):
        flat = ids.flatten().long()
        n = flat.numel()
        counts = torch.zeros(EXPERTS, dtype=torch.int64, device=ids.device).index_add_(0, flat, torch.ones_like(flat))
        padded = (counts + BLOCK - 1) // BLOCK * BLOCK
        ends, starts = padded.cumsum(0), padded.cumsum(0) - padded
        room = n + EXPERTS * (BLOCK - 1)
        order = torch.argsort(flat, stable=True)
        expert = flat[order]
        rank = torch.arange(n, device=ids.device) - (counts.cumsum(0) - counts)[expert]
        tokens = torch.full((room,), n, dtype=torch.int64, device=ids.device)
        tokens[starts[expert] + rank] = order
        first = torch.arange((room + BLOCK - 1) // BLOCK, device=ids.device) * BLOCK
        owner = (first[:, None] >= ends[None]).sum(1)
        owner = torch.where(first < ends[-1], owner, torch.full_like(owner, -1))
        return tokens.int(), owner.int(), ends[-1:].int()


def get_inputs():
    return [torch.randint(0, EXPERTS, (33, 2), dtype=torch.int32)]


def get_init_inputs():
    return []
