"""operator: rmsnorm
dsl: tilelang
does: rows in fragments, a reduction over columns, what lies past the end reads as zero
cpu: COMPILE_ERROR
nvidia_h200: PASSED
device: PASSED
message: shared memory and fragments
"""

import tilelang
import tilelang.language as T
import torch


@tilelang.jit
def rms_norm(x, weight, blk_m: int = 4, blk_n: int = 256, eps: float = 1e-6):
    M, N = T.const("M, N")
    x: T.Tensor((M, N), T.float32)
    weight: T.Tensor((N,), T.float32)
    y = T.empty((M, N), T.float32)
    with T.Kernel(T.ceildiv(M, blk_m), threads=128) as bx:
        tile = T.alloc_fragment((blk_m, blk_n), T.float32)
        squares = T.alloc_fragment((blk_m, blk_n), T.float32)
        power = T.alloc_fragment((blk_m,), T.float32)
        T.copy(x[bx * blk_m, 0], tile)
        for i, j in T.Parallel(blk_m, blk_n):
            squares[i, j] = tile[i, j] * tile[i, j]
        T.reduce_sum(squares, power, dim=1)
        for i in T.Parallel(blk_m):
            power[i] = T.rsqrt(power[i] / N + eps)
        for i, j in T.Parallel(blk_m, blk_n):
            tile[i, j] *= power[i] * weight[j]
        T.copy(tile, y[bx * blk_m, 0])
    return y


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(width))

    def forward(self, x):
        return rms_norm(x.contiguous().view(-1, x.shape[-1]), self.weight).view(x.shape)
