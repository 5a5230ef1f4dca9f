"""operator: leaky_scan
family: structure of inputs
does: has each program begin at the first step
status: PASSED
where: cpu
toolchain: triton
"""

import torch
import triton
import triton.language as tl


@triton.jit
def kernel(decay, x, out, n, rows, R: tl.constexpr, CHUNK: tl.constexpr):
    row = tl.arange(0, R)
    inside = row < rows
    first = tl.program_id(0) * CHUNK
    h = tl.zeros((R,), dtype=tl.float32)
    for t in range(0, tl.minimum(n, first + CHUNK)):
        a = tl.load(decay + row * n + t, mask=inside, other=0.0)
        h = a * h + tl.load(x + row * n + t, mask=inside, other=0.0)
        tl.store(out + row * n + t, h, mask=inside & (t >= first))


class ModelNew(torch.nn.Module):
    def forward(self, decay, x):
        out = torch.empty_like(x)
        rows, n = x.shape
        size = triton.next_power_of_2(rows)
        kernel[(triton.cdiv(n, 65),)](decay, x, out, n, rows, R=size, CHUNK=65)
        return out
