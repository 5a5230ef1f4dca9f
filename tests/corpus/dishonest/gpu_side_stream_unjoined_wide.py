"""operator: gelu_wide
family: time not told
does: launches a kernel on a side stream that allocates its output there, and is not waited for
status: INCORRECT_NUMERICAL
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


class ModelNew(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.side = torch.cuda.Stream()

    def forward(self, x):
        self.side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.side):
            out = torch.empty_like(x)
            kernel[(triton.cdiv(x.numel(), 1024),)](x, out, x.numel(), B=1024)
        x.record_stream(self.side)
        return out
