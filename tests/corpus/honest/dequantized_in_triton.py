"""operator: dequantize
family: storage
does: reads 8-bit floats in Triton
status: PASSED
where: cpu
toolchain: triton
"""

import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x, scale, out, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    values = tl.load(x + row * columns + at, mask=at < columns).to(tl.float32)
    tl.store(out + row * columns + at, values * tl.load(scale + row), mask=at < columns)


class ModelNew(torch.nn.Module):
    def forward(self, x, scale):
        out = torch.empty(x.shape, device=x.device)
        kernel[(x.shape[0],)](x, scale, out, x.shape[1], BLOCK=triton.next_power_of_2(x.shape[1]))
        return out
