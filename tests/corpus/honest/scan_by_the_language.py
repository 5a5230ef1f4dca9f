"""operator: scan
family: plain
does: uses tl.cumsum in blocks and carries the sum on
status: PASSED
where: cpu
toolchain: triton
"""

import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x, out, n, B: tl.constexpr):
    row = tl.program_id(0)
    carry = 0.0
    for start in range(0, n, B):
        at = start + tl.arange(0, B)
        v = tl.load(x + row * n + at, mask=at < n, other=0.0)
        tl.store(out + row * n + at, carry + tl.cumsum(v, axis=0), mask=at < n)
        carry += tl.sum(v, axis=0)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        kernel[(x.shape[0],)](x, out, x.shape[1], B=256)
        return out
