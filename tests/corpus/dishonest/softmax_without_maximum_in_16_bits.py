"""operator: softmax
family: wrong on purpose
does: takes float32 exponentials of bfloat16 as they are, which overflow
status: INCORRECT_NUMERICAL
where: cpu
toolchain: triton
dtype: bfloat16
"""

import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x, out, n, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    place = tl.program_id(0) * n + at
    values = tl.load(x + place, mask=at < n, other=-float("inf")).to(tl.float32)
    weights = tl.exp(values)
    tl.store(out + place, weights / tl.sum(weights), mask=at < n)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        kernel[(x.shape[0],)](x, out, x.shape[1], BLOCK=triton.next_power_of_2(x.shape[1]))
        return out
