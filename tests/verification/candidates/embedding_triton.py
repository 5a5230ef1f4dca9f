"""Embedding: rows that are looked up more than once are summed by atomic additions."""

import torch
import triton
import triton.language as tl


@triton.jit
def forward_kernel(ids, table, out, width, BLOCK: tl.constexpr):
    place = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    row = tl.load(ids + place)
    tl.store(out + place * width + at, tl.load(table + row * width + at, mask=at < width), mask=at < width)


@triton.jit
def backward_kernel(upstream, ids, dtable, width, BLOCK: tl.constexpr):
    place = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    g = tl.load(upstream + place * width + at, mask=at < width, other=0.0)
    row = tl.load(ids + place)
    tl.atomic_add(dtable + row * width + at, g, mask=at < width)


class Embedding(torch.autograd.Function):
    @staticmethod
    def forward(ctx, ids, table):
        ids, table = ids.contiguous(), table.contiguous()
        width = table.shape[1]
        ctx.save_for_backward(ids)
        ctx.rows = table.shape[0]
        out = table.new_empty((*ids.shape, width))
        forward_kernel[(ids.numel(),)](ids, table, out, width, BLOCK=triton.next_power_of_2(width))
        return out

    @staticmethod
    def backward(ctx, upstream):
        (ids,) = ctx.saved_tensors
        width = upstream.shape[-1]
        dtable = upstream.new_zeros((ctx.rows, width))
        block = triton.next_power_of_2(width)
        backward_kernel[(ids.numel(),)](upstream.contiguous(), ids, dtable, width, BLOCK=block)
        return None, dtable


class ModelNew(torch.nn.Module):
    def __init__(self, rows, width):
        super().__init__()
        self.table = torch.nn.Embedding(rows, width)

    def forward(self, ids):
        return Embedding.apply(ids, self.table.weight)
