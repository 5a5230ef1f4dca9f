"""Rotary embedding by halves: backward rotates by the negative angles."""

import torch
import triton
import triton.language as tl


@triton.jit
def rotate_kernel(x, cos, sin, out, length, half, sign, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    inside = at < half
    place = (row % length) * half + at
    c = tl.load(cos + place, mask=inside)
    s = tl.load(sin + place, mask=inside) * sign
    one = tl.load(x + row * 2 * half + at, mask=inside)
    other = tl.load(x + row * 2 * half + half + at, mask=inside)
    tl.store(out + row * 2 * half + at, one * c - other * s, mask=inside)
    tl.store(out + row * 2 * half + half + at, other * c + one * s, mask=inside)


def rotated(x, cos, sin, sign):
    x = x.contiguous()
    length, half = cos.shape
    out = torch.empty_like(x)
    rows = x.numel() // (2 * half)
    rotate_kernel[(rows,)](x, cos, sin, out, length, half, sign, BLOCK=triton.next_power_of_2(half))
    return out


class Rope(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, cos, sin):
        ctx.save_for_backward(cos, sin)
        return rotated(x, cos.contiguous(), sin.contiguous(), 1.0)

    @staticmethod
    def backward(ctx, upstream):
        cos, sin = ctx.saved_tensors
        return rotated(upstream, cos.contiguous(), sin.contiguous(), -1.0), None, None


class ModelNew(torch.nn.Module):
    def __init__(self, length, width):
        super().__init__()
        angles = torch.arange(length)[:, None] * 100.0 ** (-torch.arange(0, width, 2) / width)
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def forward(self, x):
        return Rope.apply(x, self.cos, self.sin)
