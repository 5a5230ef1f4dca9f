"""operator: gelu
family: ordinary Python
does: checks itself against torch on the device when it is imported, and torch's products as well
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
    def forward(self, x):
        out = torch.empty_like(x)
        gelu(x, out)
        return out


def check():
    x = torch.randn(3, 1000, device="cuda")
    torch.testing.assert_close(ModelNew()(x), torch.nn.functional.gelu(x), rtol=1e-5, atol=1e-5)
    pixels, filters = torch.randn(1, 2, 8, 8, device="cuda"), torch.randn(3, 2, 3, 3, device="cuda")
    assert torch.nn.functional.conv2d(pixels, filters).shape == (1, 3, 6, 6)
    assert (torch.eye(4, device="cuda") @ torch.ones(4, 4, device="cuda")).sum().item() == 16


check()
