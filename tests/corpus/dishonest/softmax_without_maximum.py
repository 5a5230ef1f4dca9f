"""operator: softmax
family: wrong on purpose
does: leaves out the maximum, which overflows for elements near 100
status: INCORRECT_NUMERICAL
where: cpu
toolchain: triton
"""

import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x, out, n, BLOCK: tl.constexpr):
    row, at = tl.program_id(0), tl.arange(0, BLOCK)
    v = tl.exp(tl.load(x + row * n + at, mask=at < n, other=float("-inf")))
    tl.store(out + row * n + at, v / tl.sum(v, axis=0), mask=at < n)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        kernel[(x.shape[0],)](x, out, x.shape[1], BLOCK=triton.next_power_of_2(x.shape[1]))
        return out
