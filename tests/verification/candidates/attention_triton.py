"""Causal attention by blocks: keeps the logarithm of each row's sum, and computes the weights again in backward.

Backward has one kernel over rows of queries and one over rows of keys, so that no two programs add to one element.
"""

import torch
import triton
import triton.language as tl


@triton.jit
def dot(a, b):
    return tl.dot(a, b, input_precision="ieee")


@triton.jit
def block_of(tensor, head, row, length, width, WIDTH: tl.constexpr):
    at = tl.arange(0, WIDTH)[None, :]
    inside = (row < length)[:, None] & (at < width)
    return tl.load(tensor + (head + row)[:, None] * width + at, mask=inside, other=0.0).to(tl.float32)


@triton.jit
def store_block(tensor, value, head, row, length, width, WIDTH: tl.constexpr):
    at = tl.arange(0, WIDTH)[None, :]
    tl.store(tensor + (head + row)[:, None] * width + at, value, mask=(row < length)[:, None] & (at < width))


@triton.jit
def forward_kernel(q, k, v, out, sums, length, width, scale, ROWS: tl.constexpr, WIDTH: tl.constexpr):
    head = tl.program_id(0).to(tl.int64) * length
    first = tl.program_id(1) * ROWS
    row = first + tl.arange(0, ROWS)
    a = block_of(q, head, row, length, width, WIDTH)
    top = tl.full((ROWS,), -float("inf"), dtype=tl.float32)
    total = tl.zeros((ROWS,), dtype=tl.float32)
    found = tl.zeros((ROWS, WIDTH), dtype=tl.float32)
    for start in range(0, tl.minimum(first + ROWS, length), ROWS):
        col = start + tl.arange(0, ROWS)
        s = dot(a, tl.trans(block_of(k, head, col, length, width, WIDTH))) * scale
        s = tl.where(col[None, :] <= row[:, None], s, -float("inf"))
        higher = tl.maximum(top, tl.max(s, axis=1))
        p = tl.exp(s - higher[:, None])
        kept = tl.exp(top - higher)
        total = total * kept + tl.sum(p, axis=1)
        found = found * kept[:, None] + dot(p, block_of(v, head, col, length, width, WIDTH))
        top = higher
    store_block(out, found / total[:, None], head, row, length, width, WIDTH)
    tl.store(sums + head + row, top + tl.log(total), mask=row < length)


@triton.jit
def query_kernel(upstream, q, k, v, out, sums, owns, dq, length, width, scale, ROWS: tl.constexpr, WIDTH: tl.constexpr):
    head = tl.program_id(0).to(tl.int64) * length
    first = tl.program_id(1) * ROWS
    row = first + tl.arange(0, ROWS)
    a = block_of(q, head, row, length, width, WIDTH)
    g = block_of(upstream, head, row, length, width, WIDTH)
    own = tl.sum(g * block_of(out, head, row, length, width, WIDTH), axis=1)
    tl.store(owns + head + row, own, mask=row < length)
    sum_of = tl.load(sums + head + row, mask=row < length, other=0.0)
    found = tl.zeros((ROWS, WIDTH), dtype=tl.float32)
    for start in range(0, tl.minimum(first + ROWS, length), ROWS):
        col = start + tl.arange(0, ROWS)
        b = block_of(k, head, col, length, width, WIDTH)
        seen = (col[None, :] <= row[:, None]) & (row < length)[:, None]
        p = tl.exp(tl.where(seen, dot(a, tl.trans(b)) * scale - sum_of[:, None], -float("inf")))
        dp = dot(g, tl.trans(block_of(v, head, col, length, width, WIDTH)))
        found += dot(p * (dp - own[:, None]) * scale, b)
    store_block(dq, found, head, row, length, width, WIDTH)


@triton.jit
def key_kernel(upstream, q, k, v, sums, owns, dk, dv, length, width, scale, ROWS: tl.constexpr, WIDTH: tl.constexpr):
    head = tl.program_id(0).to(tl.int64) * length
    first = tl.program_id(1) * ROWS
    col = first + tl.arange(0, ROWS)
    b = block_of(k, head, col, length, width, WIDTH)
    c = block_of(v, head, col, length, width, WIDTH)
    by_key = tl.zeros((ROWS, WIDTH), dtype=tl.float32)
    by_value = tl.zeros((ROWS, WIDTH), dtype=tl.float32)
    for start in range(first, length, ROWS):
        row = start + tl.arange(0, ROWS)
        a = block_of(q, head, row, length, width, WIDTH)
        g = block_of(upstream, head, row, length, width, WIDTH)
        sum_of = tl.load(sums + head + row, mask=row < length, other=0.0)
        own = tl.load(owns + head + row, mask=row < length, other=0.0)
        seen = (col[None, :] <= row[:, None]) & (row < length)[:, None]
        p = tl.exp(tl.where(seen, dot(a, tl.trans(b)) * scale - sum_of[:, None], -float("inf")))
        by_value += dot(tl.trans(p), g)
        ds = p * (dot(g, tl.trans(c)) - own[:, None])
        by_key += dot(tl.trans(ds), a) * scale
    store_block(dk, by_key, head, col, length, width, WIDTH)
    store_block(dv, by_value, head, col, length, width, WIDTH)


def launch(kernel, tensors, scale):
    heads, length, width = tensors[0].shape
    block = max(16, triton.next_power_of_2(width))
    grid = (heads, triton.cdiv(length, 32))
    kernel[grid](*tensors, length, width, scale, ROWS=32, WIDTH=block, num_warps=4, num_stages=1)


def heads_of(tensor):
    return tensor.reshape(-1, *tensor.shape[-2:]).contiguous()


class Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k, v):
        given = [heads_of(one) for one in (q, k, v)]
        out = torch.empty_like(given[0])
        sums = given[0].new_empty(given[0].shape[:2], dtype=torch.float32)
        launch(forward_kernel, (*given, out, sums), q.shape[-1] ** -0.5)
        ctx.save_for_backward(*given, out, sums)
        return out.reshape(q.shape)

    @staticmethod
    def backward(ctx, upstream):
        q, k, v, out, sums = ctx.saved_tensors
        g, owns = heads_of(upstream), torch.empty_like(sums)
        dq, dk, dv = (torch.empty_like(one) for one in (q, k, v))
        scale = q.shape[-1] ** -0.5
        launch(query_kernel, (g, q, k, v, out, sums, owns, dq), scale)
        launch(key_kernel, (g, q, k, v, sums, owns, dk, dv), scale)
        return tuple(one.reshape(upstream.shape) for one in (dq, dk, dv))


class ModelNew(torch.nn.Module):
    def forward(self, q, k, v):
        return Attention.apply(q, k, v)
