"""operator: layernorm
family: cached workspaces
does: writes statistics to a cached workspace with one kernel and uses them in another
status: PASSED
where: cpu
toolchain: triton
"""

import torch
import triton
import triton.language as tl


@triton.jit
def statistics(x, space, n, B: tl.constexpr):
    row, at = tl.program_id(0), tl.arange(0, B)
    v = tl.load(x + row * n + at, mask=at < n, other=0.0)
    mean = tl.sum(v, axis=0) / n
    centred = tl.where(at < n, v - mean, 0.0)
    tl.store(space + 2 * row, mean)
    tl.store(space + 2 * row + 1, tl.rsqrt(tl.sum(centred * centred, axis=0) / n + 1e-5))


@triton.jit
def apply(x, space, weight, bias, out, n, B: tl.constexpr):
    row, at = tl.program_id(0), tl.arange(0, B)
    v = tl.load(x + row * n + at, mask=at < n)
    y = (v - tl.load(space + 2 * row)) * tl.load(space + 2 * row + 1)
    y = y * tl.load(weight + at, mask=at < n) + tl.load(bias + at, mask=at < n)
    tl.store(out + row * n + at, y, mask=at < n)


SPACES = {}


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))

    def forward(self, x):
        rows, n = x.shape
        space = SPACES.setdefault((rows, x.device), torch.empty(2 * rows, device=x.device))
        out = torch.empty_like(x)
        statistics[(rows,)](x, space, n, B=triton.next_power_of_2(n))
        apply[(rows,)](x, space, self.weight, self.bias, out, n, B=triton.next_power_of_2(n))
        return out
