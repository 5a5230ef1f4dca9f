import torch
import triton
import triton.language as tl
from torch import nn


@triton.jit
def scale_relu(x_ptr, scale_ptr, out_ptr, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    for start in range(0, columns, BLOCK):
        at = start + tl.arange(0, BLOCK)
        inside = at < columns
        x = tl.load(x_ptr + row * columns + at, mask=inside, other=0.0)
        scale = tl.load(scale_ptr + at, mask=inside, other=0.0)
        tl.store(out_ptr + row * columns + at, tl.maximum(x * scale, 0.0), mask=inside)


class ModelNew(nn.Module):
    def __init__(self, columns: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.empty(columns))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.contiguous()
        out = torch.empty_like(x)
        scale_relu[(x.shape[0],)](x, self.scale, out, x.shape[1], BLOCK=128)
        return out
