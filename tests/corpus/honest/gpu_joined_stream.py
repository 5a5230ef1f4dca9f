"""operator: gelu
family: joined side streams
does: works on a side stream that waits for the caller's and that the caller's waits for
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
        self.side = torch.cuda.Stream()

    def forward(self, x):
        out = torch.empty_like(x)
        here = torch.cuda.current_stream()
        self.side.wait_stream(here)
        with torch.cuda.stream(self.side):
            gelu(x, out)
        here.wait_stream(self.side)
        out.record_stream(self.side)
        return out
