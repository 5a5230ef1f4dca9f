"""operator: gelu
family: judge attacked
does: launches a kernel that never ends
status: TIMEOUT
where: gpu
toolchain: cuda_c
seconds: 3
"""

import torch

from akgflow.toolchains.cuda_c import load

library = load(r"""
__global__ void gelu_kernel(const volatile float* x, float* out) {
  while (x[0] == x[0] || x[0] != x[0]) out[0] += 1.f;
}

extern "C" void gelu(const float* x, float* out, long long n) { gelu_kernel<<<1, 1>>>(x, out); }
""")


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        library.gelu(x, out, x.numel())
        return out
