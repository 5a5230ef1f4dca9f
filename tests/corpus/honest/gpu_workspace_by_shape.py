"""operator: gelu
family: cached workspaces
does: keeps a workspace for each shape and copies the answer out
status: PASSED
where: gpu
toolchain: triton
"""

import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x, out, n, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    v = tl.load(x + at, mask=at < n)
    tl.store(out + at, 0.5 * v * (1 + tl.erf(v * 0.7071067811865476)), mask=at < n)


def gelu(x, out):
    kernel[(triton.cdiv(x.numel(), 1024),)](x, out, x.numel(), B=1024)


class ModelNew(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.spaces = {}

    def forward(self, x):
        space = self.spaces.setdefault(x.shape, torch.empty_like(x))
        gelu(x, space)
        return space.clone()
