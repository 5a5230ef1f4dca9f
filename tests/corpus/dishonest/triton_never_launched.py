"""operator: rowsum
family: not the DSL
does: defines a kernel and launches none
status: FALLBACK
where: cpu
toolchain: triton
"""

import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x, out, n, B: tl.constexpr):
    at = tl.arange(0, B)
    tl.store(out + tl.program_id(0), tl.sum(tl.load(x + tl.program_id(0) * n + at, mask=at < n, other=0.0), axis=0))


class ModelNew(torch.nn.Module):
    def forward(self, x):
        return x.sum(dim=-1)
