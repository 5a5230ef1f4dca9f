"""operator: scatter_rare
family: wrong on purpose
does: loads, adds and stores four rows one after the other, with no atomics
status: RUNTIME_ERROR
where: cpu
toolchain: triton
message: programs race
"""

import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x, index, out, width, C: tl.constexpr, L: tl.constexpr):
    column = tl.arange(0, C)
    for i in range(L):
        row = tl.program_id(0) * L + i
        at = out + tl.load(index + row) * width + column
        v = tl.load(x + row * width + column, mask=column < width, other=0.0)
        tl.store(at, tl.load(at, mask=column < width, other=0.0) + v, mask=column < width)


class ModelNew(torch.nn.Module):
    def forward(self, x, index):
        out = torch.zeros(900, x.shape[1], device=x.device)
        kernel[(16,)](x, index, out, x.shape[1], C=triton.next_power_of_2(x.shape[1]), L=4)
        return out
