import torch
import triton
import triton.language as tl


@triton.jit
def softmax_kernel(x_ptr, out_ptr, cols, stride, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    inside = at < cols
    x = tl.load(x_ptr + row * stride + at, mask=inside, other=-float("inf")).to(tl.float32)
    e = tl.exp(x - tl.max(x, axis=0))
    y = e / tl.sum(e, axis=0)
    tl.store(out_ptr + row * cols + at, y.to(out_ptr.dtype.element_ty), mask=inside)


@triton.jit
def long_softmax_kernel(x_ptr, out_ptr, cols, stride, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    best = -float("inf")
    total = 0.0
    for start in range(0, cols, BLOCK):
        x = tl.load(x_ptr + row * stride + start + at, mask=start + at < cols, other=-float("inf")).to(tl.float32)
        higher = tl.maximum(best, tl.max(x, axis=0))
        shift = tl.where(higher == -float("inf"), 0.0, higher)
        total = total * tl.exp(best - shift) + tl.sum(tl.exp(x - shift), axis=0)
        best = higher
    for start in range(0, cols, BLOCK):
        inside = start + at < cols
        x = tl.load(x_ptr + row * stride + start + at, mask=inside, other=-float("inf")).to(tl.float32)
        y = tl.exp(x - best) / total
        tl.store(out_ptr + row * cols + start + at, y.to(out_ptr.dtype.element_ty), mask=inside)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        rows, cols = x.shape
        out = torch.empty_like(x)
        if cols <= 16384:
            block = triton.next_power_of_2(cols)
            softmax_kernel[(rows,)](x, out, cols, x.stride(0), BLOCK=block, num_warps=4 if block <= 2048 else 8)
        else:
            long_softmax_kernel[(rows,)](x, out, cols, x.stride(0), BLOCK=8192, num_warps=8)
        return out
