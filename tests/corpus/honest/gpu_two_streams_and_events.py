"""operator: gelu_wide
family: joined side streams
does: splits the work over two streams and joins them with events
status: PASSED
where: gpu
toolchain: triton
time: yes
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
        self.streams = [torch.cuda.Stream(), torch.cuda.Stream()]

    def forward(self, x):
        out = torch.empty_like(x)
        start = torch.cuda.current_stream().record_event()
        for stream, part, to in zip(self.streams, x.chunk(2), out.chunk(2)):
            stream.wait_event(start)
            with torch.cuda.stream(stream):
                gelu(part, to)
            torch.cuda.current_stream().wait_event(stream.record_event())
        return out
