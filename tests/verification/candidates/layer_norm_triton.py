"""LayerNorm: one program a row for the input's gradient, one a column for the parameters'."""

import torch
import triton
import triton.language as tl


@triton.jit
def forward_kernel(x, weight, bias, out, means, roots, cols, eps, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    inside = at < cols
    values = tl.load(x + row * cols + at, mask=inside, other=0.0)
    mean = tl.sum(values, axis=0) / cols
    apart = tl.where(inside, values - mean, 0.0)
    root = 1 / tl.sqrt(tl.sum(apart * apart, axis=0) / cols + eps)
    tl.store(means + row, mean)
    tl.store(roots + row, root)
    w = tl.load(weight + at, mask=inside)
    tl.store(out + row * cols + at, apart * root * w + tl.load(bias + at, mask=inside), mask=inside)


@triton.jit
def input_kernel(upstream, x, weight, means, roots, dx, cols, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    inside = at < cols
    root = tl.load(roots + row)
    values = (tl.load(x + row * cols + at, mask=inside, other=0.0) - tl.load(means + row)) * root
    values = tl.where(inside, values, 0.0)
    g = tl.load(upstream + row * cols + at, mask=inside, other=0.0) * tl.load(weight + at, mask=inside, other=0.0)
    first = tl.sum(g, axis=0) / cols
    second = tl.sum(g * values, axis=0) / cols
    tl.store(dx + row * cols + at, root * (g - first - values * second), mask=inside)


@triton.jit
def parameter_kernel(upstream, x, means, roots, dw, db, rows, cols, BLOCK: tl.constexpr):
    col = tl.program_id(0)
    by_value = tl.zeros((BLOCK,), dtype=tl.float32)
    plain = tl.zeros((BLOCK,), dtype=tl.float32)
    for start in range(0, rows, BLOCK):
        row = start + tl.arange(0, BLOCK)
        inside = row < rows
        g = tl.load(upstream + row * cols + col, mask=inside, other=0.0)
        mean = tl.load(means + row, mask=inside, other=0.0)
        value = tl.load(x + row * cols + col, mask=inside, other=0.0) - mean
        by_value += g * value * tl.load(roots + row, mask=inside, other=0.0)
        plain += g
    tl.store(dw + col, tl.sum(by_value, axis=0))
    tl.store(db + col, tl.sum(plain, axis=0))


class LayerNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias):
        rows = x.reshape(-1, x.shape[-1]).contiguous()
        count, cols = rows.shape
        out, means, roots = torch.empty_like(rows), rows.new_empty(count), rows.new_empty(count)
        block = triton.next_power_of_2(cols)
        forward_kernel[(count,)](rows, weight, bias, out, means, roots, cols, 1e-5, BLOCK=block)
        ctx.save_for_backward(rows, weight, means, roots)
        return out.reshape(x.shape)

    @staticmethod
    def backward(ctx, upstream):
        rows, weight, means, roots = ctx.saved_tensors
        count, cols = rows.shape
        g = upstream.reshape(rows.shape).contiguous()
        dx, dw, db = torch.empty_like(rows), torch.empty_like(weight), torch.empty_like(weight)
        input_kernel[(count,)](g, rows, weight, means, roots, dx, cols, BLOCK=triton.next_power_of_2(cols))
        parameter_kernel[(cols,)](g, rows, means, roots, dw, db, count, cols, BLOCK=32)
        return dx.reshape(upstream.shape), dw, db


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = torch.nn.LayerNorm(width)

    def forward(self, x):
        return LayerNorm.apply(x, self.norm.weight, self.norm.bias)
