"""operator: rmsnorm
dsl: tilelang
does: for a processor: a row in a local buffer, sixteen partial sums, then one scale
cpu: PASSED
nvidia_h200: -
device: -
"""

import tilelang
import tilelang.cpu.language as T
import torch


@tilelang.jit
def rms_norm(x, weight, LANES: int = 16, eps: float = 1e-6):
    M, N = T.const("M, N")
    x: T.Tensor((M, N), T.float32)
    weight: T.Tensor((N,), T.float32)
    y = T.empty((M, N), T.float32)
    with T.Kernel(M) as row:
        part = T.alloc_local((LANES,), T.float32)
        total = T.alloc_local((1,), T.float32)
        for j in T.serial(LANES):
            part[j] = T.float32(0)
        for step in T.serial(T.ceildiv(N, LANES)):
            for j in T.serial(LANES):
                part[j] = part[j] + x[row, step * LANES + j] * x[row, step * LANES + j]
        total[0] = T.float32(0)
        for j in T.serial(LANES):
            total[0] = total[0] + part[j]
        total[0] = T.rsqrt(total[0] / N + eps)
        for c in T.serial(N):
            y[row, c] = x[row, c] * total[0] * weight[c]
    return y


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(width))

    def forward(self, x):
        return rms_norm(x.contiguous().view(-1, x.shape[-1]), self.weight).view(x.shape)
