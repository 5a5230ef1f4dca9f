"""operator: layernorm
family: precision
does: computes in float32 and rounds to bfloat16 once
status: PASSED
where: cpu
toolchain: triton
dtype: bfloat16
"""

import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x, gain, shift, out, n, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    place = tl.program_id(0) * n + at
    inside = at < n
    values = tl.load(x + place, mask=inside, other=0.0).to(tl.float32)
    mean = tl.sum(values) / n
    variance = tl.sum(tl.where(inside, (values - mean) * (values - mean), 0.0)) / n
    normed = (values - mean) * tl.rsqrt(variance + 1e-5)
    g, b = tl.load(gain + at, mask=inside), tl.load(shift + at, mask=inside)
    result = normed * g.to(tl.float32) + b.to(tl.float32)
    tl.store(out + place, result, mask=inside)


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))

    def forward(self, x):
        out = torch.empty_like(x)
        n = x.shape[1]
        kernel[(x.shape[0],)](x, self.weight, self.bias, out, n, BLOCK=triton.next_power_of_2(n))
        return out
