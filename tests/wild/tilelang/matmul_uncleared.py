"""operator: matmul_bias_gelu
dsl: tilelang
does: does not clear its accumulator
cpu: COMPILE_ERROR
nvidia_h200: PASSED
device: PASSED INCORRECT_NUMERICAL
"""

import tilelang
import tilelang.language as T
import torch


@tilelang.jit
def matmul_gelu(a, b, bias, BM: int = 64, BN: int = 64, BK: int = 32, stages: int = 3):
    M, N, K = T.const("M, N, K")
    a: T.Tensor((M, K), T.float16)
    b: T.Tensor((K, N), T.float16)
    bias: T.Tensor((N,), T.float16)
    c = T.empty((M, N), T.float16)
    with T.Kernel(T.ceildiv(N, BN), T.ceildiv(M, BM), threads=128) as (bx, by):
        a_shared = T.alloc_shared((BM, BK), T.float16)
        b_shared = T.alloc_shared((BK, BN), T.float16)
        c_local = T.alloc_fragment((BM, BN), T.float32)
        T.use_swizzle(panel_size=10)
        for ko in T.Pipelined(T.ceildiv(K, BK), num_stages=stages):
            T.copy(a[by * BM, ko * BK], a_shared)
            T.copy(b[ko * BK, bx * BN], b_shared)
            T.gemm(a_shared, b_shared, c_local)
        for i, j in T.Parallel(BM, BN):
            c_local[i, j] += T.cast(bias[bx * BN + j], T.float32)
            c_local[i, j] = 0.5 * c_local[i, j] * (1.0 + T.erf(c_local[i, j] * 0.7071067811865476))
        T.copy(c_local, c[by * BM, bx * BN])
    return c


class ModelNew(torch.nn.Module):
    def forward(self, a, b, bias):
        return matmul_gelu(a.contiguous(), b.contiguous(), bias)
