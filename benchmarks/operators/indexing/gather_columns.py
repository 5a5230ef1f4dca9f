"""One chosen value of each row and step."""

import torch
from torch import nn


class Model(nn.Module):
    """x [rows, columns] and places [rows, picks] of int64 give [rows, picks]."""

    def forward(self, x: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        return torch.gather(x, 1, places)


def get_inputs(rows: int = 512, columns: int = 1000, picks: int = 64) -> list[torch.Tensor]:
    return [torch.randn(rows, columns), torch.randint(0, columns, (rows, picks))]


def get_init_inputs() -> list[object]:
    return []
