"""operator: add_inplace
family: declared in-place
does: changes its input with a kernel and returns it
status: PASSED
where: cpu
toolchain: triton
"""

import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x, y, n, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    total = tl.load(x + at, mask=at < n) + tl.load(y + at, mask=at < n)
    tl.store(x + at, total, mask=at < n)


class ModelNew(torch.nn.Module):
    def forward(self, x, y):
        kernel[(triton.cdiv(x.numel(), 256),)](x, y, x.numel(), B=256)
        return x
