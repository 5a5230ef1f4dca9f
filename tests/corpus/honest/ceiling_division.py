"""operator: gelu
family: ordinary Python
does: writes (n + B - 1) // B in forward
status: PASSED
where: cpu
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


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        n, B = x.numel(), 256
        kernel[((n + B - 1) // B,)](x, out, n, B=B)
        return out
