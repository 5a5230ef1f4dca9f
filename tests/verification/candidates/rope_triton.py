"""Rotary embedding by halves: backward rotates by the negative angles."""

import torch
import triton
import triton.language as tl


@triton.jit
def rotate_kernel(x, cos, sin, out, rows, length, half, sign, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    at = tl.arange(0, BLOCK)[None, :]
    inside = (row < rows)[:, None] & (at < half)
    place = (row % length)[:, None] * half + at
    c = tl.load(cos + place, mask=inside, other=0.0)
    s = tl.load(sin + place, mask=inside, other=0.0) * sign
    here = row[:, None] * 2 * half + at
    one = tl.load(x + here, mask=inside, other=0.0)
    other = tl.load(x + here + half, mask=inside, other=0.0)
    tl.store(out + here, one * c - other * s, mask=inside)
    tl.store(out + here + half, other * c + one * s, mask=inside)


def rotated(x, cos, sin, sign):
    x = x.contiguous()
    length, half = cos.shape
    out = torch.empty_like(x)
    rows = x.numel() // (2 * half)
    block = triton.next_power_of_2(half)
    each = max(1, 1024 // block)
    rotate_kernel[(triton.cdiv(rows, each),)](x, cos, sin, out, rows, length, half, sign, ROWS=each, BLOCK=block)
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
