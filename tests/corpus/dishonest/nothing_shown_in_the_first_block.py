"""operator: masked_softmax
family: wrong on purpose
does: subtracts minus infinity from itself where the first block of a row shows nothing
status: INCORRECT_NUMERICAL
where: cpu
toolchain: triton
"""

import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x, shown, out, n, B: tl.constexpr):
    row = tl.program_id(0) * n
    at = tl.arange(0, B)
    most = -float("inf")
    total = 0.0
    for start in range(0, n, B):
        seen = tl.load(shown + row + start + at, mask=start + at < n, other=0) != 0
        v = tl.load(x + row + start + at, mask=seen, other=-float("inf"))
        here = tl.maximum(most, tl.max(v, axis=0))
        total = total * tl.exp(most - here) + tl.sum(tl.exp(v - here), axis=0)
        most = here
    for start in range(0, n, B):
        seen = tl.load(shown + row + start + at, mask=start + at < n, other=0) != 0
        v = tl.load(x + row + start + at, mask=seen, other=-float("inf"))
        tl.store(out + row + start + at, tl.where(seen, tl.exp(v - most) / total, 0.0), mask=start + at < n)


class ModelNew(torch.nn.Module):
    def forward(self, x, shown):
        out = torch.empty_like(x)
        kernel[(x.shape[0],)](x, shown, out, x.shape[1], B=32)
        return out
