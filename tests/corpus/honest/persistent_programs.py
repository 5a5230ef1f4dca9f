"""operator: gelu
family: plain
does: launches three programs that share all blocks among them
status: PASSED
where: cpu
toolchain: triton
"""

import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x, out, n, B: tl.constexpr):
    for block in range(tl.program_id(0), tl.cdiv(n, B), tl.num_programs(0)):
        at = block * B + tl.arange(0, B)
        v = tl.load(x + at, mask=at < n)
        tl.store(out + at, 0.5 * v * (1 + tl.erf(v * 0.7071067811865476)), mask=at < n)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        kernel[(3,)](x, out, x.numel(), B=128)
        return out
