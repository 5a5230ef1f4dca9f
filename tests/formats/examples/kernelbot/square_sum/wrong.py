#!POPCORN leaderboard square_sum
import torch
import triton
import triton.language as tl
from task import input_t, output_t


@triton.jit
def squares(a, b, out, n, block: tl.constexpr):
    at = tl.program_id(0) * block + tl.arange(0, block)
    x = tl.load(a + at, mask=at < n)
    y = tl.load(b + at, mask=at < n)
    tl.store(out + at, x * x + y, mask=at < n)


def custom_kernel(data: input_t) -> output_t:
    a, b = data
    out = torch.empty_like(a)
    squares[(triton.cdiv(a.numel(), 128),)](a, b, out, a.numel(), block=128)
    return out
