"""A product of half matrices, with a bias and a SiLU, stored in halves."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F


@dataclass(frozen=True)
class Config:
    m: int = 70
    n: int = 80
    k: int = 96
    dtype: torch.dtype = torch.float16


CONFIG = Config()


class Model(torch.nn.Module):
    def __init__(self, config: Config = CONFIG):
        super().__init__()
        self.bias = torch.nn.Parameter(torch.zeros(config.n, dtype=config.dtype))

    def forward(self, a, b):
        return F.silu((a @ b).float() + self.bias.float()).to(a.dtype)


get_inputs = lambda: [  # noqa: E731
    torch.randn(CONFIG.m, CONFIG.k, dtype=CONFIG.dtype) * 0.3,
    torch.randn(CONFIG.k, CONFIG.n, dtype=CONFIG.dtype) * 0.3,
]
get_init_inputs = lambda: []  # noqa: E731
