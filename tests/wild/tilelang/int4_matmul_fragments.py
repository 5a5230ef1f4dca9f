"""operator: int4_matmul
dsl: tilelang
does: unpacks four-bit numbers into a fragment, group by group, and multiplies them by rows in float32
cpu: COMPILE_ERROR
nvidia_h200: PASSED
device: PASSED
message: shared memory and fragments
"""

import tilelang
import tilelang.language as T
import torch


@tilelang.jit
def dequant_gemm(x, packed, scales, zeros, BM: int = 16, BN: int = 32, GROUP: int = 32):
    M, N, K, W, G = T.const("M, N, K, W, G")
    x: T.Tensor((M, K), T.float32)
    packed: T.Tensor((W, N), T.int32)
    scales: T.Tensor((G, N), T.float32)
    zeros: T.Tensor((G, N), T.int64)
    y = T.empty((M, N), T.float32)
    with T.Kernel(T.ceildiv(N, BN), T.ceildiv(M, BM), threads=128) as (bx, by):
        x_shared = T.alloc_shared((BM, GROUP), T.float32)
        w_shared = T.alloc_shared((GROUP, BN), T.float32)
        acc = T.alloc_fragment((BM, BN), T.float32)
        T.clear(acc)
        for g in T.serial(G):
            T.copy(x[by * BM, g * GROUP], x_shared)
            for k, j in T.Parallel(GROUP, BN):
                word = packed[(g * GROUP + k) // 8, bx * BN + j]
                four = (word >> (T.cast(k % 8, T.int32) * 4)) & 15
                w_shared[k, j] = (T.cast(four, T.float32) - T.cast(zeros[g, bx * BN + j], T.float32)) * scales[
                    g, bx * BN + j
                ]
            for k in T.serial(GROUP):
                for i, j in T.Parallel(BM, BN):
                    acc[i, j] += x_shared[i, k] * w_shared[k, j]
        T.copy(acc, y[by * BM, bx * BN])
    return y


class ModelNew(torch.nn.Module):
    def forward(self, x, packed, scales, zeros):
        return dequant_gemm(x.contiguous(), packed, scales, zeros)
