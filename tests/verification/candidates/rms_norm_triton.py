"""RMSNorm: backward keeps one part of the weight's gradient for each program, and a second kernel sums the parts."""

import torch
import triton
import triton.language as tl


@triton.jit
def forward_kernel(x, weight, out, roots, cols, eps, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    inside = at < cols
    values = tl.load(x + row * cols + at, mask=inside, other=0.0).to(tl.float32)
    root = 1 / tl.sqrt(tl.sum(values * values, axis=0) / cols + eps)
    tl.store(roots + row, root)
    w = tl.load(weight + at, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + row * cols + at, values * root * w, mask=inside)


@triton.jit
def backward_kernel(upstream, x, weight, roots, dx, parts, rows, cols, BLOCK: tl.constexpr):
    program = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    inside = at < cols
    w = tl.load(weight + at, mask=inside, other=0.0).to(tl.float32)
    part = tl.zeros((BLOCK,), dtype=tl.float32)
    for row in range(program, rows, tl.num_programs(0)):
        root = tl.load(roots + row)
        values = tl.load(x + row * cols + at, mask=inside, other=0.0).to(tl.float32) * root
        g = tl.load(upstream + row * cols + at, mask=inside, other=0.0).to(tl.float32)
        part += g * values
        g = g * w
        mean = tl.sum(g * values, axis=0) / cols
        tl.store(dx + row * cols + at, root * (g - values * mean), mask=inside)
    tl.store(parts + program * cols + at, part, mask=inside)


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


class RMSNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, eps):
        rows = x.reshape(-1, x.shape[-1]).contiguous()
        count, cols = rows.shape
        out, roots = torch.empty_like(rows), rows.new_empty(count, dtype=torch.float32)
        forward_kernel[(count,)](rows, weight, out, roots, cols, eps, **shape_of(cols))
        ctx.save_for_backward(rows, weight, roots)
        return out.reshape(x.shape)

    @staticmethod
    def backward(ctx, upstream):
        rows, weight, roots = ctx.saved_tensors
        count, cols = rows.shape
        g = upstream.reshape(rows.shape).contiguous()
        programs = min(512, triton.cdiv(count, 4))
        dx, dw = torch.empty_like(rows), torch.empty_like(weight)
        parts = rows.new_empty((programs, cols), dtype=torch.float32)
        backward_kernel[(programs,)](g, rows, weight, roots, dx, parts, count, cols, **shape_of(cols))
        sum_kernel[(triton.cdiv(cols, 64),)](parts, dw, programs, cols, ROWS=8, BLOCK=64)
        return dx.reshape(upstream.shape), dw, None


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(width))

    def forward(self, x):
        return RMSNorm.apply(x, self.weight, 1e-6)
