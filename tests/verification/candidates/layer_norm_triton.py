"""LayerNorm: backward keeps one part of the parameters' gradients for each program, and a second kernel sums these."""

import torch
import triton
import triton.language as tl


@triton.jit
def forward_kernel(x, weight, bias, out, means, roots, cols, eps, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    inside = at < cols
    values = tl.load(x + row * cols + at, mask=inside, other=0.0).to(tl.float32)
    mean = tl.sum(values, axis=0) / cols
    apart = tl.where(inside, values - mean, 0.0)
    root = 1 / tl.sqrt(tl.sum(apart * apart, axis=0) / cols + eps)
    tl.store(means + row, mean)
    tl.store(roots + row, root)
    w = tl.load(weight + at, mask=inside, other=0.0).to(tl.float32)
    b = tl.load(bias + at, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + row * cols + at, apart * root * w + b, mask=inside)


@triton.jit
def backward_kernel(upstream, x, weight, means, roots, dx, dw_parts, db_parts, rows, cols, BLOCK: tl.constexpr):
    program = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    inside = at < cols
    w = tl.load(weight + at, mask=inside, other=0.0).to(tl.float32)
    by_value = tl.zeros((BLOCK,), dtype=tl.float32)
    plain = tl.zeros((BLOCK,), dtype=tl.float32)
    for row in range(program, rows, tl.num_programs(0)):
        root = tl.load(roots + row)
        values = tl.load(x + row * cols + at, mask=inside, other=0.0).to(tl.float32) - tl.load(means + row)
        values = tl.where(inside, values * root, 0.0)
        g = tl.load(upstream + row * cols + at, mask=inside, other=0.0).to(tl.float32)
        by_value += g * values
        plain += g
        g = g * w
        first = tl.sum(g, axis=0) / cols
        second = tl.sum(g * values, axis=0) / cols
        tl.store(dx + row * cols + at, root * (g - first - values * second), mask=inside)
    tl.store(dw_parts + program * cols + at, by_value, mask=inside)
    tl.store(db_parts + program * cols + at, plain, mask=inside)


@triton.jit
def sum_kernel(parts, out, count, cols, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    col = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    total = tl.zeros((BLOCK,), dtype=tl.float32)
    for start in range(0, count, ROWS):
        row = start + tl.arange(0, ROWS)
        inside = (row < count)[:, None] & (col < cols)[None, :]
        total += tl.sum(tl.load(parts + row[:, None] * cols + col[None, :], mask=inside, other=0.0), axis=0)
    tl.store(out + col, total, mask=col < cols)


def shape_of(cols):
    """The block that holds a row, and the warps for it."""
    block = triton.next_power_of_2(cols)
    return {"BLOCK": block, "num_warps": min(16, max(1, block // 256))}


class LayerNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias):
        rows = x.reshape(-1, x.shape[-1]).contiguous()
        count, cols = rows.shape
        out = torch.empty_like(rows)
        means, roots = (rows.new_empty(count, dtype=torch.float32) for _ in range(2))
        forward_kernel[(count,)](rows, weight, bias, out, means, roots, cols, 1e-5, **shape_of(cols))
        ctx.save_for_backward(rows, weight, means, roots)
        return out.reshape(x.shape)

    @staticmethod
    def backward(ctx, upstream):
        rows, weight, means, roots = ctx.saved_tensors
        count, cols = rows.shape
        g = upstream.reshape(rows.shape).contiguous()
        programs = min(512, triton.cdiv(count, 4))
        dx, dw, db = torch.empty_like(rows), torch.empty_like(weight), torch.empty_like(weight)
        parts = [rows.new_empty((programs, cols), dtype=torch.float32) for _ in range(2)]
        backward_kernel[(programs,)](g, rows, weight, means, roots, dx, *parts, count, cols, **shape_of(cols))
        for part, found in zip(parts, (dw, db), strict=True):
            sum_kernel[(triton.cdiv(cols, 64),)](part, found, programs, cols, ROWS=8, BLOCK=64)
        return dx.reshape(upstream.shape), dw, db


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = torch.nn.LayerNorm(width)

    def forward(self, x):
        return LayerNorm.apply(x, self.norm.weight, self.norm.bias)
