"""Every kind of bf16 arithmetic that the interpreter once did on the bits."""

import torch
import triton
import triton.language as tl


@triton.jit
def mix_kernel(x_ptr, y_ptr, out_ptr, cols, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    inside = at < cols
    x = tl.load(x_ptr + row * cols + at, mask=inside, other=0.0)
    y = tl.load(y_ptr + row * cols + at, mask=inside, other=0.0)
    largest = tl.max(tl.where(inside, x, float("-inf")), axis=0)
    total = tl.sum(x * y, axis=0)
    ramp = at.to(tl.bfloat16)
    z = tl.where(x > y, x - y, -(x / (tl.abs(y) + 1.0)))
    z = z + ramp * 0.5 + tl.exp(-tl.abs(x.to(tl.float32))).to(tl.bfloat16) + largest + total
    tl.store(out_ptr + row * cols + at, z, mask=inside)


class ModelNew(torch.nn.Module):
    def forward(self, x, y):
        out = torch.empty_like(x)
        mix_kernel[(x.shape[0],)](x, y, out, x.shape[1], BLOCK=triton.next_power_of_2(x.shape[1]))
        return out


def reference(inputs, parameters):
    x, y = inputs
    ramp = torch.arange(x.shape[1], dtype=x.dtype)
    z = torch.where(x > y, x - y, -(x / (y.abs() + 1)))
    return z + ramp * 0.5 + torch.exp(-x.abs()) + x.amax(1, keepdim=True) + (x * y).sum(1, keepdim=True)
