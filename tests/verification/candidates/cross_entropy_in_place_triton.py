"""Cross entropy that overwrites the logits with their gradient in forward; backward scales it."""

import torch
import triton
import triton.language as tl


@triton.jit
def loss_kernel(logits, target, losses, rows, cols, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    y = tl.load(target + row)
    x = tl.load(logits + row * cols + at, mask=at < cols, other=-float("inf"))
    top = tl.max(x, axis=0)
    total = tl.sum(tl.exp(x - top), axis=0)
    own = tl.load(logits + row * cols + y)
    tl.store(losses + row, (top + tl.log(total) - own) / rows)
    gradient = tl.exp(x - top) / total - tl.where(at == y, 1.0, 0.0)
    tl.store(logits + row * cols + at, gradient / rows, mask=at < cols)


@triton.jit
def sum_kernel(losses, loss, rows, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    tl.store(loss, tl.sum(tl.load(losses + at, mask=at < rows, other=0.0), axis=0))


@triton.jit
def scale_kernel(gradient, upstream, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    factor = tl.load(upstream)
    tl.store(gradient + at, tl.load(gradient + at, mask=at < n) * factor, mask=at < n)


class CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, target):
        rows, cols = logits.shape
        losses, loss = logits.new_empty(rows), logits.new_empty(())
        loss_kernel[(rows,)](logits, target, losses, rows, cols, BLOCK=triton.next_power_of_2(cols))
        sum_kernel[(1,)](losses, loss, rows, BLOCK=triton.next_power_of_2(rows))
        ctx.save_for_backward(logits.detach())
        return loss

    @staticmethod
    def backward(ctx, upstream):
        (gradient,) = ctx.saved_tensors
        n = gradient.numel()
        scale_kernel[(triton.cdiv(n, 256),)](gradient, upstream.contiguous(), n, BLOCK=256)
        return gradient, None


class ModelNew(torch.nn.Module):
    def forward(self, logits, target):
        assert logits.is_contiguous(), "contiguous logits only"
        return CrossEntropy.apply(logits, target)
