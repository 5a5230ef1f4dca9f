"""operator: matmul
dsl: tilelang
does: for a processor: local tiles with both operands copied in, the loops in an order that makes vectors
cpu: PASSED
nvidia_h200: -
device: -
"""

import tilelang
import tilelang.cpu.language as T
import torch


@tilelang.jit
def matmul(a, b, BM: int = 16, BN: int = 32, BK: int = 32):
    M, N, K = T.const("M, N, K")
    a: T.Tensor((M, K), T.float32)
    b: T.Tensor((K, N), T.float32)
    c = T.empty((M, N), T.float32)
    with T.Kernel(T.ceildiv(N, BN), T.ceildiv(M, BM)) as (bx, by):
        a_tile = T.alloc_local((BM, BK), T.float32)
        b_tile = T.alloc_local((BK, BN), T.float32)
        c_tile = T.alloc_local((BM, BN), T.float32)
        for i, j in T.grid(BM, BN):
            c_tile[i, j] = T.float32(0)
        for ko in T.serial(T.ceildiv(K, BK)):
            for i, k in T.grid(BM, BK):
                a_tile[i, k] = a[by * BM + i, ko * BK + k]
            for k, j in T.grid(BK, BN):
                b_tile[k, j] = b[ko * BK + k, bx * BN + j]
            for i, k, j in T.grid(BM, BK, BN):
                c_tile[i, j] += a_tile[i, k] * b_tile[k, j]
        for i, j in T.grid(BM, BN):
            c[by * BM + i, bx * BN + j] = c_tile[i, j]
    return c


class ModelNew(torch.nn.Module):
    def forward(self, a, b):
        return matmul(a.contiguous(), b.contiguous())
