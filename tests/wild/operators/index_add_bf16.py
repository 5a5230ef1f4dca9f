"""Rows of bfloat16 added to the rows of a table that indices name, in place, for halves as well."""

import torch


class Model(torch.nn.Module):
    def forward(self, table, index, rows, *, alpha: float = 1.0):
        out = table.float()
        out.index_add_(0, index, rows.float(), alpha=alpha)
        table.copy_(out)


def get_inputs():
    return {
        "table": torch.randn(20, 32).bfloat16(),
        "index": torch.randperm(20)[:15],
        "rows": torch.randn(15, 32).bfloat16(),
        "alpha": 0.5,
    }


def get_init_inputs():
    return {}
