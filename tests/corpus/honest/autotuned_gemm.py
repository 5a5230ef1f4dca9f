"""operator: gemm
family: autotuning
does: lets Triton choose among three tilings at the first launch
status: PASSED
where: cpu
toolchain: triton
"""

import torch
import triton
import triton.language as tl


CONFIGS = [
    triton.Config({"BM": m, "BN": n, "BK": 32}, num_warps=w) for m, n, w in ((32, 32, 2), (64, 32, 4), (32, 64, 4))
]


@triton.autotune(configs=CONFIGS, key=["m", "n", "k"])
@triton.jit
def kernel(a, b, out, m, n, k, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    rows = tl.program_id(0) * BM + tl.arange(0, BM)
    cols = tl.program_id(1) * BN + tl.arange(0, BN)
    total = tl.zeros((BM, BN), dtype=tl.float32)
    for start in range(0, k, BK):
        at = start + tl.arange(0, BK)
        x = tl.load(a + rows[:, None] * k + at[None, :], mask=(rows[:, None] < m) & (at[None, :] < k), other=0.0)
        y = tl.load(b + at[:, None] * n + cols[None, :], mask=(at[:, None] < k) & (cols[None, :] < n), other=0.0)
        total = tl.dot(x, y, total, input_precision="ieee")
    tl.store(out + rows[:, None] * n + cols[None, :], total, mask=(rows[:, None] < m) & (cols[None, :] < n))


class ModelNew(torch.nn.Module):
    def forward(self, a, b):
        (m, k), n = a.shape, b.shape[1]
        out = torch.empty((m, n), device=a.device, dtype=a.dtype)
        kernel[lambda meta: (triton.cdiv(m, meta["BM"]), triton.cdiv(n, meta["BN"]))](a, b, out, m, n, k)
        return out
