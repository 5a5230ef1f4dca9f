"""operator: gelu
dsl: cuda_c
does: a plain host function of pointers, with vectors of four and a tail
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch

from akgflow.toolchains.cuda_c import load

library = load(r"""
#include <cuda_runtime.h>
#include <cstdint>

__device__ __forceinline__ float gelu(float v) { return 0.5f * v * (1.f + erff(v * 0.70710678118654752f)); }

__global__ void gelu_kernel(const float* __restrict__ x, float* __restrict__ y, long long n, bool aligned) {
  const long long stride = (long long)gridDim.x * blockDim.x, first = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  const long long fours = aligned ? n / 4 : 0;
  for (long long i = first; i < fours; i += stride) {
    float4 v = reinterpret_cast<const float4*>(x)[i];
    v.x = gelu(v.x), v.y = gelu(v.y), v.z = gelu(v.z), v.w = gelu(v.w);
    reinterpret_cast<float4*>(y)[i] = v;
  }
  for (long long i = fours * 4 + first; i < n; i += stride) y[i] = gelu(x[i]);
}

extern "C" void gelu(const float* x, float* y, long long n) {
  const bool aligned = reinterpret_cast<uintptr_t>(x) % 16 == 0 && reinterpret_cast<uintptr_t>(y) % 16 == 0;
  int blocks = 0, threads = 0;
  cudaOccupancyMaxPotentialBlockSize(&blocks, &threads, gelu_kernel, 0, 0);
  gelu_kernel<<<blocks < 8 ? blocks : 8, 256>>>(x, y, n, aligned);
}
""")


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        library.gelu(x, y, x.numel())
        return y
