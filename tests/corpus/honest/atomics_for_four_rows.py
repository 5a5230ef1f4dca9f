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
def kernel(x, index, out, rows, width, C: tl.constexpr, L: tl.constexpr):
    lane = tl.program_id(0) * L + tl.arange(0, L)
    column = tl.arange(0, C)
    inside = (column < width)[None, :] & (lane < rows)[:, None]
    place = tl.load(index + lane, mask=lane < rows, other=0)
    at = out + place[:, None] * width + column[None, :]
    v = tl.load(x + lane[:, None] * width + column[None, :], mask=inside, other=0.0)
    tl.atomic_add(at, v, mask=inside)


class ModelNew(torch.nn.Module):
    def forward(self, x, index):
        out = torch.zeros(900, x.shape[1], device=x.device)
        kernel[(triton.cdiv(x.shape[0], 4),)](x, index, out, *x.shape, C=triton.next_power_of_2(x.shape[1]), L=4)
        return out
