"""operator: scatter_rare
family: structure of inputs
does: adds four rows at once, with atomics
status: PASSED
where: cpu
toolchain: triton
"""

import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x, index, out, width, C: tl.constexpr, L: tl.constexpr):
    lane = tl.program_id(0) * L + tl.arange(0, L)
    column = tl.arange(0, C)
    inside = (column < width)[None, :] & (lane < 64)[:, None]
    place = tl.load(index + lane, mask=lane < 64, other=0)
    at = out + place[:, None] * width + column[None, :]
    v = tl.load(x + lane[:, None] * width + column[None, :], mask=inside, other=0.0)
    tl.atomic_add(at, v, mask=inside)


class ModelNew(torch.nn.Module):
    def forward(self, x, index):
        out = torch.zeros(900, x.shape[1], device=x.device)
        kernel[(16,)](x, index, out, x.shape[1], C=triton.next_power_of_2(x.shape[1]), L=4)
        return out
