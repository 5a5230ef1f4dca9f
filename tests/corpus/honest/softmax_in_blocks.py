"""operator: softmax
family: plain
does: goes over each row twice, with a running maximum and sum
status: PASSED
where: cpu
toolchain: triton
"""

import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x, out, n, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    best = float("-inf")
    total = 0.0
    for start in range(0, n, BLOCK):
        at = start + tl.arange(0, BLOCK)
        v = tl.load(x + row * n + at, mask=at < n, other=float("-inf"))
        higher = tl.maximum(best, tl.max(v, axis=0))
        total = total * tl.exp(best - higher) + tl.sum(tl.exp(v - higher), axis=0)
        best = higher
    for start in range(0, n, BLOCK):
        at = start + tl.arange(0, BLOCK)
        v = tl.load(x + row * n + at, mask=at < n, other=0.0)
        tl.store(out + row * n + at, tl.exp(v - best) / total, mask=at < n)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        kernel[(x.shape[0],)](x, out, x.shape[1], BLOCK=1024)
        return out
