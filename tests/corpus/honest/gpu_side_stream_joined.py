"""operator: gelu
family: joined side streams
does: launches one short kernel on a side stream with an output of its own, joined by an event
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


class ModelNew(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.side = torch.cuda.Stream()

    def forward(self, x):
        here = torch.cuda.current_stream()
        self.side.wait_stream(here)
        with torch.cuda.stream(self.side):
            out = torch.empty_like(x)
            kernel[(triton.cdiv(x.numel(), 1024),)](x, out, x.numel(), B=1024)
            done = self.side.record_event()
        here.wait_event(done)
        x.record_stream(self.side)
        out.record_stream(here)
        return out
