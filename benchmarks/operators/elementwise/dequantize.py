"""Numbers of eight bits back to float32: a zero point and a scale for each row."""

import torch
from torch import nn


class Model(nn.Module):
    """codes [rows, columns] of int8, zero [rows, 1] of int8 and scale [rows, 1] give [rows, columns] of float32."""

    def forward(self, codes: torch.Tensor, zero: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        return (codes.float() - zero.float()) * scale


def get_inputs(rows: int = 512, columns: int = 1024) -> list[torch.Tensor]:
    return [
        torch.randint(-128, 128, (rows, columns), dtype=torch.int8),
        torch.randint(-8, 8, (rows, 1), dtype=torch.int8),
        torch.rand(rows, 1) + 0.01,
    ]


def get_init_inputs() -> list[object]:
    return []
