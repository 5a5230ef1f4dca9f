import torch
import torch.nn as nn


def forward_fn(x: torch.Tensor, gate: torch.Tensor, slope: float) -> torch.Tensor:
    return torch.where(x > 0, x, x * slope) * gate


class Model(nn.Module):
    def __init__(self, features: int, slope: float = 0.1, init_method: str = "ones"):
        super().__init__()
        self.slope = slope
        self.gate = nn.Parameter(torch.ones(features) if init_method == "ones" else torch.randn(features))

    def forward(self, x: torch.Tensor, fn=forward_fn) -> torch.Tensor:
        return fn(x, self.gate, self.slope)


def get_inputs(batch_size: int = 4, features: int = 32):
    return [torch.randn(batch_size, features)]


input_names = ["x"]
