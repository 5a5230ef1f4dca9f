"""operator: attention
family: wrong on purpose
does: stores zeros
status: INCORRECT_NUMERICAL
where: cpu
toolchain: triton
"""

import torch
import triton
import triton.language as tl


@triton.jit
def kernel(out, n, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(out + at, tl.zeros((B,), tl.float32), mask=at < n)


class ModelNew(torch.nn.Module):
    def forward(self, q, k, v, mask):
        out = torch.empty_like(q)
        kernel[(triton.cdiv(q.numel(), 256),)](out, q.numel(), B=256)
        return out
