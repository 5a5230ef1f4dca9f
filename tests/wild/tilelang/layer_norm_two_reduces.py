"""operator: row_variance_gate
dsl: tilelang
does: rows in fragments, reduced twice, written in blocks of rows
cpu: -
nvidia_h200: PASSED
device: PASSED
"""

import tilelang
import tilelang.language as T
import torch


@tilelang.jit(out_idx=[1])
def norm(M, N, blk_m=8, eps=1e-5, threads=128):
    @T.prim_func
    def main(X: T.Tensor((M, N), "float32"), Y: T.Tensor((M, N), "float32")):
        with T.Kernel(T.ceildiv(M, blk_m), threads=threads) as bx:
            x_local = T.alloc_fragment((blk_m, N), "float32")
            sq = T.alloc_fragment((blk_m, N), "float32")
            mean = T.alloc_fragment((blk_m,), "float32")
            var = T.alloc_fragment((blk_m,), "float32")
            T.copy(X[bx * blk_m : (bx + 1) * blk_m, :], x_local)
            T.reduce_sum(x_local, mean, dim=1)
            for i in T.Parallel(blk_m):
                mean[i] = mean[i] / N
            for i, j in T.Parallel(blk_m, N):
                sq[i, j] = (x_local[i, j] - mean[i]) * (x_local[i, j] - mean[i])
            T.reduce_sum(sq, var, dim=1)
            for i in T.Parallel(blk_m):
                var[i] = T.rsqrt(var[i] / N + eps)
            for i, j in T.Parallel(blk_m, N):
                x_local[i, j] = (x_local[i, j] - mean[i]) * var[i]
            T.copy(x_local, Y[bx * blk_m : (bx + 1) * blk_m, :])

    return main


class ModelNew(torch.nn.Module):
    def forward(self, x):
        rows, cols = x.shape
        return norm(rows, cols)(x.contiguous())
