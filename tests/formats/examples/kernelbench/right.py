import torch
import triton
import triton.language as tl


@triton.jit
def shifted(x, y, out, n, block: tl.constexpr):
    at = tl.program_id(0) * block + tl.arange(0, block)
    a = tl.load(x + at, mask=at < n)
    b = tl.load(y + at, mask=at < n)
    tl.store(out + at, a * b + 1.0, mask=at < n)


class ModelNew(torch.nn.Module):
    def forward(self, x, y):
        x, y = x.contiguous(), y.contiguous()
        out = torch.empty_like(x)
        shifted[(triton.cdiv(x.numel(), 64),)](x, y, out, x.numel(), block=64)
        return out
