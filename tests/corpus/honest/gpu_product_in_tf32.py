"""operator: gemm_wide
family: precision agreed
does: lets tensor cores round operands to TF32, which the task allows
status: PASSED
where: gpu
toolchain: triton
precision: tf32
"""

import torch
import triton
import triton.language as tl


CONFIGS = [
    triton.Config({"BM": m, "BN": n, "BK": 32}, num_warps=w) for m, n, w in ((64, 64, 4), (128, 64, 4), (64, 128, 8))
]


@triton.autotune(configs=CONFIGS, key=["m", "n", "k"])
@triton.jit
def kernel(a, b, out, m, n, k, PRECISION: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    rows = tl.program_id(0) * BM + tl.arange(0, BM)
    cols = tl.program_id(1) * BN + tl.arange(0, BN)
    total = tl.zeros((BM, BN), dtype=tl.float32)
    for start in range(0, k, BK):
        at = start + tl.arange(0, BK)
        x = tl.load(a + rows[:, None] * k + at[None, :], mask=(rows[:, None] < m) & (at[None, :] < k), other=0.0)
        y = tl.load(b + at[:, None] * n + cols[None, :], mask=(at[:, None] < k) & (cols[None, :] < n), other=0.0)
        total = tl.dot(x, y, total, input_precision=PRECISION)
    total = total.to(out.dtype.element_ty)
    tl.store(out + rows[:, None] * n + cols[None, :], total, mask=(rows[:, None] < m) & (cols[None, :] < n))


def product(a, b, precision="ieee"):
    (m, k), n = a.shape, b.shape[1]
    out = torch.empty((m, n), device=a.device, dtype=a.dtype)
    kernel[lambda meta: (triton.cdiv(m, meta["BM"]), triton.cdiv(n, meta["BN"]))](a, b, out, m, n, k, precision)
    return out


class ModelNew(torch.nn.Module):
    def forward(self, a, b):
        return product(a, b, "tf32")
