"""operator: scan
family: wrong on purpose
does: has each program go on from the sum that the program before left in memory, and waits for nothing
status: RUNTIME_ERROR
where: cpu
toolchain: triton
"""

import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x, out, n, B: tl.constexpr):
    row, block = tl.program_id(1), tl.program_id(0)
    at = block * B + tl.arange(0, B)
    carry = 0.0
    if block > 0:
        carry = tl.load(out + row * n + block * B - 1)
    v = tl.load(x + row * n + at, mask=at < n, other=0.0)
    tl.store(out + row * n + at, carry + tl.cumsum(v, axis=0), mask=at < n)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        kernel[(triton.cdiv(x.shape[1], 256), x.shape[0])](x, out, x.shape[1], B=256)
        return out
