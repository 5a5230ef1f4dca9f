"""Cross entropy of logits with classes."""

import torch
from torch import nn
from torch.nn import functional as F


class Model(nn.Module):
    """Logits [rows, classes] and classes [rows] give one number."""

    def forward(self, logits: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(logits, classes)


def get_inputs(rows: int = 256, classes: int = 1000) -> list[torch.Tensor]:
    return [torch.randn(rows, classes), torch.randint(0, classes, (rows,))]


def get_init_inputs() -> list[object]:
    return []
