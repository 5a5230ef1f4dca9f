"""operator: gelu
family: judge attacked
does: writes to an address that nobody gave it
status: RUNTIME_ERROR
where: gpu
toolchain: cuda_c
"""

import torch

from akgflow.toolchains.cuda_c import load

library = load(r"""
__global__ void gelu_kernel(float* out) { out[1ll << 40] = 1.f; }

extern "C" void gelu(const float* x, float* out, long long n) { gelu_kernel<<<1, 1>>>(out); }
""")


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        library.gelu(x, out, x.numel())
        return out
