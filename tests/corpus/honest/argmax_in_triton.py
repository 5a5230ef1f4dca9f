"""operator: argmax
family: ties
does: finds maxima with tl.argmax and gives int64 and one truth
status: PASSED
where: cpu
toolchain: triton
"""

import torch
import triton
import triton.language as tl


@triton.jit
def find(x, at, finite, n, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    columns = tl.arange(0, BLOCK)
    values = tl.load(x + row * n + columns, mask=columns < n, other=-float("inf"))
    tl.store(at + row, tl.argmax(values, axis=0).to(tl.int64))
    bad = ((values == float("inf")) | (values == -float("inf")) | (values != values)) & (columns < n)
    tl.store(finite + row, 1 - tl.max(bad.to(tl.int32), axis=0))


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        rows, n = x.shape
        at = torch.empty(rows, dtype=torch.int64, device=x.device)
        finite = torch.empty(rows, dtype=torch.int32, device=x.device)
        find[(rows,)](x, at, finite, n, BLOCK=triton.next_power_of_2(n))
        return at, finite.bool().all()
