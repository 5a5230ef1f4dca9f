"""operator: mean_square
family: many terms
does: adds up a part in each program, and the parts in one more
status: PASSED
where: cpu
toolchain: triton
"""

import torch
import triton
import triton.language as tl


@triton.jit
def partial_sums(guess, truth, parts, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    apart = tl.load(guess + at, mask=at < n, other=0.0) - tl.load(truth + at, mask=at < n, other=0.0)
    tl.store(parts + tl.program_id(0), tl.sum(apart * apart, axis=0))


@triton.jit
def mean(parts, out, count, n, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    tl.store(out, tl.sum(tl.load(parts + at, mask=at < count, other=0.0), axis=0) / n)


class ModelNew(torch.nn.Module):
    def forward(self, guess, truth):
        n, block = guess.numel(), 4096
        count = triton.cdiv(n, block)
        parts, out = torch.empty(count, device=guess.device), torch.empty((), device=guess.device)
        partial_sums[(count,)](guess, truth, parts, n, BLOCK=block)
        mean[(1,)](parts, out, count, n, BLOCK=triton.next_power_of_2(count))
        return out
