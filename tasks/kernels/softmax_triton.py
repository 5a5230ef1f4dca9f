"""Softmax of each row in Triton, written for GPUs: x and out [rows, cols], rows contiguous.

A row that fits into one block is held in registers and read once. A longer one is walked in chunks: first for a running
maximum and a running sum of exponentials, then once more to write. Programs are persistent: there are as many as the
GPU runs side by side, and each takes every n-th row, n being that number.
"""

import torch
import triton
import triton.language as tl

MOST_IN_ONE_BLOCK = 8192
CHUNK = 4096


@triton.jit
def softmax_short_kernel(x_ptr, out_ptr, rows, cols, stride_x, stride_out, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    inside = at < cols
    for row in range(tl.program_id(0).to(tl.int64), rows, tl.num_programs(0)):
        x = tl.load(x_ptr + row * stride_x + at, mask=inside, other=-float("inf")).to(tl.float32)
        e = tl.exp(x - tl.max(x, axis=0))
        y = e / tl.sum(e, axis=0)
        tl.store(out_ptr + row * stride_out + at, y.to(out_ptr.dtype.element_ty), mask=inside)


@triton.jit
def softmax_long_kernel(x_ptr, out_ptr, rows, cols, stride_x, stride_out, CHUNK: tl.constexpr):
    at = tl.arange(0, CHUNK)
    for row in range(tl.program_id(0).to(tl.int64), rows, tl.num_programs(0)):
        # Each lane keeps a maximum and a sum of its own; they are put together after the loop.
        largest = tl.full((CHUNK,), -float("inf"), dtype=tl.float32)
        total = tl.zeros((CHUNK,), dtype=tl.float32)
        for start in range(0, cols, CHUNK):
            inside = start + at < cols
            x = tl.load(x_ptr + row * stride_x + start + at, mask=inside, other=-float("inf")).to(tl.float32)
            higher = tl.where(x > largest, x, largest)
            # A lane that has seen nothing but -inf has nothing to subtract.
            shift = tl.where(higher == -float("inf"), 0.0, higher)
            total = total * tl.exp(largest - shift) + tl.exp(x - shift)
            largest = higher
        highest = tl.max(largest, axis=0)
        shift = tl.where(largest == -float("inf"), 0.0, largest - highest)
        whole = tl.sum(total * tl.exp(shift), axis=0)
        for start in range(0, cols, CHUNK):
            inside = start + at < cols
            x = tl.load(x_ptr + row * stride_x + start + at, mask=inside, other=-float("inf")).to(tl.float32)
            y = tl.exp(x - highest) / whole
            tl.store(out_ptr + row * stride_out + start + at, y.to(out_ptr.dtype.element_ty), mask=inside)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        rows, cols = x.shape
        out = torch.empty_like(x)
        programs = min(rows, 1024)
        if cols <= MOST_IN_ONE_BLOCK:
            block = triton.next_power_of_2(cols)
            warps = 4 if block <= 2048 else 8
            softmax_short_kernel[(programs,)](
                x, out, rows, cols, x.stride(0), out.stride(0), BLOCK=block, num_warps=warps
            )
        else:
            softmax_long_kernel[(programs,)](x, out, rows, cols, x.stride(0), out.stride(0), CHUNK=CHUNK, num_warps=8)
        return out
