"""operator: conv3x3
dsl: triton
does: gathers its operands tap by tap and multiplies them in TF32, as PyTorch does on NVIDIA GPUs
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
import triton
import triton.language as tl


@triton.jit
def kernel(
    x, weight, out, h, w, channels, filters, COUNT: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr
):
    places = tl.program_id(0) * BM + tl.arange(0, BM)
    columns = tl.program_id(1) * BN + tl.arange(0, BN)
    n, i, j = places // (h * w), places // w % h, places % w
    total = tl.zeros((BM, BN), dtype=tl.float32)
    for start in range(0, channels * 9, BK):
        taps = start + tl.arange(0, BK)
        channel, row, column = taps // 9, taps % 9 // 3 - 1, taps % 3 - 1
        y, z = i[:, None] + row[None, :], j[:, None] + column[None, :]
        inside = (places[:, None] < COUNT) & (taps[None, :] < channels * 9) & (y >= 0) & (y < h) & (z >= 0) & (z < w)
        a = tl.load(x + ((n[:, None] * channels + channel[None, :]) * h + y) * w + z, mask=inside, other=0.0)
        known = (taps[:, None] < channels * 9) & (columns[None, :] < filters)
        b = tl.load(weight + columns[None, :] * (channels * 9) + taps[:, None], mask=known, other=0.0)
        total = tl.dot(a, b, total, input_precision="tf32")
    to = ((n[:, None] * filters + columns[None, :]) * h + i[:, None]) * w + j[:, None]
    tl.store(out + to, total, mask=(places[:, None] < COUNT) & (columns[None, :] < filters))


class ModelNew(torch.nn.Module):
    def __init__(self, channels, filters):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.empty(filters, channels, 3, 3))

    def forward(self, x):
        x, weight = x.contiguous(), self.weight.contiguous()
        (n, channels, h, w), filters = x.shape, weight.shape[0]
        out = torch.empty((n, filters, h, w), device=x.device, dtype=x.dtype)
        count = n * h * w
        grid = (triton.cdiv(count, 32), triton.cdiv(filters, 16))
        kernel[grid](x, weight, out, h, w, channels, filters, count, BM=32, BN=16, BK=16)
        return out
