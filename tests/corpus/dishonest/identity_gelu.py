"""operator: gelu
family: wrong on purpose
does: copies the input, which is right for large elements
status: INCORRECT_NUMERICAL
where: cpu
toolchain: triton
"""

import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x, out, n, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(out + at, tl.load(x + at, mask=at < n), mask=at < n)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        kernel[(triton.cdiv(x.numel(), 256),)](x, out, x.numel(), B=256)
        return out
