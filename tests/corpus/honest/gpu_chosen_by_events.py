"""operator: gelu
family: autotuning
does: times two variants with CUDA events at its first call
status: PASSED
where: gpu
toolchain: triton
"""

import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x, out, n, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    v = tl.load(x + at, mask=at < n)
    tl.store(out + at, 0.5 * v * (1 + tl.erf(v * 0.7071067811865476)), mask=at < n)


def gelu(x, out):
    kernel[(triton.cdiv(x.numel(), 1024),)](x, out, x.numel(), B=1024)


class ModelNew(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.block = None

    def milliseconds(self, x, out, block):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        kernel[(triton.cdiv(x.numel(), block),)](x, out, x.numel(), B=block)
        end.record()
        torch.cuda.synchronize()
        return start.elapsed_time(end)

    def forward(self, x):
        out = torch.empty_like(x)
        if self.block is None:
            self.block = min((256, 1024), key=lambda block: self.milliseconds(x, out, block))
        kernel[(triton.cdiv(x.numel(), self.block),)](x, out, x.numel(), B=self.block)
        return out
