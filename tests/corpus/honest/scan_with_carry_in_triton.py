"""operator: sized_scan
family: any shape
does: adds the sum of the blocks before to each block of a scan
status: PASSED
where: cpu
toolchain: triton
message: other shape
"""

import torch
import triton
import triton.language as tl


@triton.jit
def scan(x, out, n, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    before = 0.0
    for block in range(0, n, BLOCK):
        columns = block + tl.arange(0, BLOCK)
        values = tl.load(x + row * n + columns, mask=columns < n, other=0.0)
        tl.store(out + row * n + columns, before + tl.cumsum(values, axis=0), mask=columns < n)
        before += tl.sum(values, axis=0)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        scan[(x.shape[0],)](x, out, x.shape[1], BLOCK=256)
        return out
