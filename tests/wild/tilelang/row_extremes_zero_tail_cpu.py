"""operator: row_extremes
dsl: tilelang
does: for a processor: what lies past the end of a row is read as zero and counts in the maximum and in the sum
cpu: INCORRECT_NUMERICAL
nvidia_h200: -
device: -
"""

import tilelang
import tilelang.cpu.language as T
import torch


@tilelang.jit
def extremes(x, BLOCK: int = 32):
    M, N = T.const("M, N")
    x: T.Tensor((M, N), T.float32)
    lse = T.empty((M,), T.float32)
    top = T.empty((M,), T.float32)
    at = T.empty((M,), T.int64)
    with T.Kernel(M) as row:
        piece = T.alloc_local((BLOCK,), T.float32)
        best = T.alloc_local((1,), T.float32)
        seen = T.alloc_local((1,), T.float32)
        total = T.alloc_local((1,), T.float32)
        place = T.alloc_local((1,), T.int64)
        best[0] = -T.infinity(T.float32)
        total[0] = T.float32(0)
        place[0] = T.int64(0)
        for step in T.serial(T.ceildiv(N, BLOCK)):
            seen[0] = best[0]
            for j in T.serial(BLOCK):
                c = step * BLOCK + j
                piece[j] = x[row, c]
                if piece[j] > best[0]:
                    place[0] = T.cast(c, T.int64)
                    best[0] = piece[j]
            total[0] = total[0] * T.exp(seen[0] - best[0])
            for j in T.serial(BLOCK):
                total[0] = total[0] + T.exp(piece[j] - best[0])
        lse[row] = best[0] + T.log(total[0])
        top[row] = best[0]
        at[row] = place[0]
    return lse, top, at


class ModelNew(torch.nn.Module):
    def forward(self, x):
        return extremes(x.contiguous())
