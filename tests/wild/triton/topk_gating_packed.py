"""operator: topk_gating
dsl: triton
does: packs a score and its place into one word and sorts words by tl.topk
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
import triton
import triton.language as tl


@triton.jit
def fpval_to_key(x):
    tm: tl.constexpr = 1 << (x.dtype.primitive_bitwidth - 1)
    fm: tl.constexpr = (1 << x.dtype.primitive_bitwidth) - 1
    bits = x.to(tl.uint32, bitcast=True)
    return bits ^ tl.where((bits & tm) != 0, fm, tm)


@triton.jit
def key_to_fpval(x):
    tm: tl.constexpr = 1 << (x.dtype.primitive_bitwidth - 1)
    fm: tl.constexpr = (1 << x.dtype.primitive_bitwidth) - 1
    return (x ^ tl.where((x & tm) == 0, fm, tm)).to(tl.float32, bitcast=True)


@triton.jit
def gate(X, W, AT, n_rows, E: tl.constexpr, K: tl.constexpr, K_PAD: tl.constexpr, BLOCK_M: tl.constexpr):
    rows = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    cols = tl.arange(0, E)
    mask = rows[:, None] < n_rows
    x = tl.load(X + rows[:, None] * E + cols[None, :], mask=mask, other=float("-inf"))
    key = fpval_to_key(x)
    packed = (key.to(tl.uint64) << 32) | (E - 1 - cols).to(tl.uint64)[None, :]
    best = tl.topk(packed, K_PAD, dim=1)
    score = key_to_fpval((best >> 32).to(tl.uint32))
    place = E - 1 - (best & 0xFFFFFFFF).to(tl.int32)
    slot = tl.arange(0, K_PAD)
    kept = slot[None, :] < K
    score = tl.where(kept & mask, score, float("-inf"))
    p = tl.exp(score - tl.max(score, 1, keep_dims=True))
    p = p / tl.sum(p, 1, keep_dims=True)
    at = rows[:, None] * K + slot[None, :]
    tl.store(W + at, p, mask=mask & kept)
    tl.store(AT + at, place, mask=mask & kept)


class ModelNew(torch.nn.Module):
    def forward(self, scores):
        scores = scores.contiguous()
        n, e = scores.shape
        w = torch.empty(n, 3, device=scores.device, dtype=torch.float32)
        at = torch.empty(n, 3, device=scores.device, dtype=torch.int32)
        gate[(triton.cdiv(n, 8),)](scores, w, at, n, E=e, K=3, K_PAD=4, BLOCK_M=8)
        return w, at
