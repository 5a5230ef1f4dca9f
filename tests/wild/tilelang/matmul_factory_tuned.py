"""operator: matmul_half
dsl: tilelang
does: a factory of primitive functions, autotuned over a list of configurations, B transposed, an epilogue by macro
cpu: -
nvidia_h200: PASSED
device: PASSED
"""

import functools
import itertools

import tilelang
import tilelang.language as T
import torch


def get_configs():
    iter_params = dict(block_M=[32], block_N=[32, 64], block_K=[32], num_stages=[2], threads=[128])
    return [dict(zip(iter_params, values)) for values in itertools.product(*iter_params.values())]


@tilelang.autotune(configs=get_configs(), warmup=1, rep=1)
@tilelang.jit(out_idx=[-1])
def matmul(
    M, N, K, block_M=32, block_N=32, block_K=32, num_stages=2, threads=128, dtype="float16", accum_dtype="float"
):
    @T.macro
    def epilogue(acc: T.Buffer, bias: T.Buffer, bx: T.int32):
        for i, j in T.Parallel(block_M, block_N):
            acc[i, j] = acc[i, j] + T.if_then_else(bx * block_N + j < N, T.cast(bias[bx * block_N + j], accum_dtype), 0)
        for i, j in T.Parallel(block_M, block_N):
            acc[i, j] = acc[i, j] / (1.0 + T.exp(-acc[i, j]))

    @T.prim_func
    def main(
        A: T.Tensor((M, K), dtype),
        B: T.Tensor((N, K), dtype),
        bias: T.Tensor((N,), dtype),
        C: T.Tensor((M, N), dtype),
    ):
        with T.Kernel(T.ceildiv(N, block_N), T.ceildiv(M, block_M), threads=threads) as (bx, by):
            A_shared = T.alloc_shared((block_M, block_K), dtype)
            B_shared = T.alloc_shared((block_N, block_K), dtype)
            C_local = T.alloc_fragment((block_M, block_N), accum_dtype)
            T.clear(C_local)
            for k in T.Pipelined(T.ceildiv(K, block_K), num_stages=num_stages):
                T.copy(A[by * block_M, k * block_K], A_shared)
                T.copy(B[bx * block_N, k * block_K], B_shared)
                T.gemm(A_shared, B_shared, C_local, transpose_B=True)
            epilogue(C_local, bias, bx)
            T.copy(C_local, C[by * block_M, bx * block_N])

    return main


@functools.lru_cache
def kernel_for(m, n, k):
    return matmul(m, n, k)


class ModelNew(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.bias = torch.nn.Parameter(torch.zeros(80, dtype=torch.float16))

    def forward(self, a, b):
        M, K = a.shape
        kernel = kernel_for(M, b.shape[1], K)
        return kernel(a.contiguous(), b.t().contiguous(), self.bias)
