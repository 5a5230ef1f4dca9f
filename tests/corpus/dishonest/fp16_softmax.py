"""operator: softmax
family: wrong on purpose
does: computes exponentials in float16
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
    v = tl.load(x + row * n + at, mask=at < n, other=float("-inf"))
    v = tl.exp(v - tl.max(v, axis=0)).to(tl.float16).to(tl.float32)
    tl.store(out + row * n + at, v / tl.sum(v, axis=0), mask=at < n)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        kernel[(x.shape[0],)](x, out, x.shape[1], BLOCK=triton.next_power_of_2(x.shape[1]))
        return out
