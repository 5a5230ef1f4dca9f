"""operator: matmul_f32
dsl: triton
does: adds its part of a tile without waiting for who begins the tile
cpu: RUNTIME_ERROR
nvidia_h200: RUNTIME_ERROR
device: -
message: programs race
"""

import torch
import triton
import triton.language as tl


@triton.jit
def mac_loop(
    A,
    B,
    C,
    M,
    N,
    K,
    locks,
    stride_am,
    stride_bk,
    stride_cm,
    iters_per_tile,
    start_iter,
    end_iter,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    tile_id = start_iter // iters_per_tile
    grid_n = tl.cdiv(N, BLOCK_N)
    pid_m = tile_id // grid_n
    pid_n = tile_id % grid_n
    rm = pid_m * BLOCK_M + tl.arange(0, BLOCK_M)
    rn = pid_n * BLOCK_N + tl.arange(0, BLOCK_N)
    rk = tl.arange(0, BLOCK_K)
    acc = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
    for it in range(start_iter, end_iter):
        k = (it % iters_per_tile) * BLOCK_K + rk
        a = tl.load(A + rm[:, None] * stride_am + k[None, :], mask=(rm[:, None] < M) & (k[None, :] < K), other=0.0)
        b = tl.load(B + k[:, None] * stride_bk + rn[None, :], mask=(k[:, None] < K) & (rn[None, :] < N), other=0.0)
        acc += tl.dot(a, b, input_precision="ieee")
    C_ = C + rm[:, None] * stride_cm + rn[None, :]
    mask = (rm < M)[:, None] & (rn < N)[None, :]
    if end_iter % iters_per_tile == 0:
        # the last part of this tile: it stores, or adds to what waits
        if start_iter % iters_per_tile == 0:
            tl.store(C_, acc, mask=mask)
        else:
            tl.atomic_add(C_, acc, mask=mask)
    elif start_iter % iters_per_tile == 0:
        tl.store(C_, acc, mask=mask)
        tl.debug_barrier()
        tl.atomic_xchg(locks + tile_id, 1)
    else:
        tl.atomic_add(C_, acc, mask=mask)


@triton.jit
def stream_k(
    A,
    B,
    C,
    M,
    N,
    K,
    locks,
    stride_am,
    stride_bk,
    stride_cm,
    total_full,
    total_partial,
    iters_per_tile,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    pid = tl.program_id(0)
    start_iter = pid * total_full + tl.minimum(pid, total_partial)
    last_iter = (pid + 1) * total_full + tl.minimum(pid + 1, total_partial)
    while start_iter < last_iter:
        end_iter = tl.minimum(start_iter + (iters_per_tile - start_iter % iters_per_tile), last_iter)
        mac_loop(
            A,
            B,
            C,
            M,
            N,
            K,
            locks,
            stride_am,
            stride_bk,
            stride_cm,
            iters_per_tile,
            start_iter,
            end_iter,
            BLOCK_M,
            BLOCK_N,
            BLOCK_K,
        )
        start_iter = end_iter


class ModelNew(torch.nn.Module):
    def forward(self, a, b):
        a, b = a.contiguous(), b.contiguous()
        (M, K), N = a.shape, b.shape[1]
        BM, BN, BK = 16, 16, 32
        tiles = triton.cdiv(M, BM) * triton.cdiv(N, BN)
        iters = triton.cdiv(K, BK)
        programs = 7
        locks = torch.zeros(tiles, device=a.device, dtype=torch.int32)
        c = torch.empty((M, N), device=a.device, dtype=a.dtype)
        stream_k[(programs,)](
            a,
            b,
            c,
            M,
            N,
            K,
            locks,
            a.stride(0),
            b.stride(0),
            c.stride(0),
            tiles * iters // programs,
            tiles * iters % programs,
            iters,
            BLOCK_M=BM,
            BLOCK_N=BN,
            BLOCK_K=BK,
            num_warps=4,
        )
        return c
