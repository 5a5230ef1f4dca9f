"""operator: gelu
family: joined side streams
does: works on a stream of its own that CUDA orders with the default stream
status: PASSED
where: gpu
toolchain: cuda_c
"""

import torch

from akgflow.toolchains.cuda_c import load

library = load(r"""
__global__ void gelu_kernel(const float* x, float* out, long long n) {
  const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = 0.5f * x[i] * (1.f + erff(x[i] * 0.70710678f));
}

extern "C" void gelu(const float* x, float* out, long long n) {
  static cudaStream_t side;
  if (!side) cudaStreamCreate(&side);
  if (n) gelu_kernel<<<(unsigned)((n + 255) / 256), 256, 0, side>>>(x, out, n);
}
""")


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        library.gelu(x, out, x.numel())
        return out
