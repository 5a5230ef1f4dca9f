"""operator: gelu
family: not the DSL
does: lets torch compute and launches a Triton kernel that copies
status: FALLBACK
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
        y = torch.nn.functional.gelu(x)
        out = torch.empty_like(y)
        kernel[(triton.cdiv(y.numel(), 256),)](y, out, y.numel(), B=256)
        return out
