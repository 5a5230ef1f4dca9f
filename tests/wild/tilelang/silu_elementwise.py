"""operator: silu_and_mul
dsl: tilelang
does: elements in parallel over blocks, the older form: a function that gives a kernel, compiled once for sizes of the call
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import tilelang
import tilelang.language as T
import torch


def silu_and_mul(block, threads=128):
    rows, width = T.dynamic("rows"), T.dynamic("width")

    @T.prim_func
    def main(x: T.Tensor((rows, 2 * width), "float32"), y: T.Tensor((rows, width), "float32")):
        with T.Kernel(T.ceildiv(width, block), rows, threads=threads) as (bx, by):
            for i in T.Parallel(block):
                g = x[by, bx * block + i]
                if bx * block + i < width:
                    y[by, bx * block + i] = g / (1.0 + T.exp(-g)) * x[by, width + bx * block + i]

    return main


kernel = None


class ModelNew(torch.nn.Module):
    def forward(self, x):
        global kernel
        if kernel is None:
            kernel = tilelang.compile(silu_and_mul(128))
        rows = x.contiguous().view(-1, x.shape[-1])
        y = torch.empty(rows.shape[0], rows.shape[1] // 2, dtype=x.dtype, device=x.device)
        kernel(rows, y)
        return y.view(*x.shape[:-1], -1)
