"""operator: moe
dsl: triton
does: counts tokens of each expert with a kernel, and reads the counts on the host to size its buffers
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
import triton
import triton.language as tl


@triton.jit
def count_kernel(expert_ptr, counts_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    expert = tl.load(expert_ptr + at, mask=at < n, other=0)
    tl.atomic_add(counts_ptr + expert, 1, mask=at < n, sem="relaxed")


@triton.jit
def place_kernel(expert_ptr, start_ptr, next_ptr, token_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < n
    expert = tl.load(expert_ptr + at, mask=mask, other=0)
    place = tl.load(start_ptr + expert, mask=mask, other=0) + tl.atomic_add(next_ptr + expert, 1, mask=mask)
    tl.store(token_ptr + place, at, mask=mask)


@triton.jit
def grouped_gemm(
    x_ptr,
    w_ptr,
    out_ptr,
    token_ptr,
    n,
    N: tl.constexpr,
    K: tl.constexpr,
    start,
    count,
    expert,
    BM: tl.constexpr,
    BN: tl.constexpr,
):
    row = tl.program_id(0) * BM + tl.arange(0, BM)
    col = tl.program_id(1) * BN + tl.arange(0, BN)
    k = tl.arange(0, K)
    token = tl.load(token_ptr + start + row, mask=row < count, other=0)
    x = tl.load(x_ptr + token[:, None] * K + k[None, :], mask=row[:, None] < count, other=0.0)
    w = tl.load(w_ptr + expert * K * N + k[:, None] * N + col[None, :], mask=col[None, :] < N, other=0.0)
    out = tl.dot(x, w, input_precision="ieee")
    tl.store(out_ptr + token[:, None] * N + col[None, :], out, mask=(row[:, None] < count) & (col[None, :] < N))


class ModelNew(torch.nn.Module):
    def forward(self, x, w, expert):
        n, K = x.shape
        E, _, N = w.shape
        counts = torch.zeros(E, dtype=torch.int32, device="cuda")
        grid = (triton.cdiv(n, 32),)
        count_kernel[grid](expert, counts, n, BLOCK=32)
        host = counts.cpu().tolist()
        starts = [sum(host[:e]) for e in range(E)]
        token = torch.empty(n, dtype=torch.int32, device="cuda")
        start, follow = torch.tensor(starts, dtype=torch.int32).cuda(), torch.zeros(E, dtype=torch.int32, device="cuda")
        place_kernel[grid](expert, start, follow, token, n, BLOCK=32)
        out = torch.empty(n, N, dtype=x.dtype, device=x.device)
        for e in range(E):
            if host[e]:
                tiles = (triton.cdiv(host[e], 16), triton.cdiv(N, 16))
                grouped_gemm[tiles](x, w, out, token, n, N, K, starts[e], host[e], e, BM=16, BN=16)
        torch.cuda.synchronize()
        return out
