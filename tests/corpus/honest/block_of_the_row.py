"""operator: sized_softmax
family: any shape
does: holds rows in a block of the next power of two
status: PASSED
where: cpu
toolchain: triton
message: other shapes
"""

import torch
import triton
import triton.language as tl


@triton.jit
def soft(x, out, n, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    columns = tl.arange(0, BLOCK)
    values = tl.load(x + row * n + columns, mask=columns < n, other=-float("inf"))
    values = tl.exp(values - tl.max(values, axis=0))
    tl.store(out + row * n + columns, values / tl.sum(values, axis=0), mask=columns < n)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        rows, n = x.shape
        out = torch.empty_like(x)
        soft[(rows,)](x, out, n, BLOCK=triton.next_power_of_2(n))
        return out
