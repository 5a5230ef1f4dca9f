"""operator: softmax
family: other builders
does: is CUDA C++, whose threads are interpreted on a CPU
status: PASSED
where: cpu
toolchain: cuda_c
"""

import torch

from akgflow.toolchains.cuda_c import load

library = load(r"""
#include <math_constants.h>

__global__ void softmax_kernel(const float* x, float* out, int n) {
  __shared__ float part[64];
  const float* from = x + (size_t)blockIdx.x * n;
  float best = -CUDART_INF_F, total = 0.f;
  for (int c = threadIdx.x; c < n; c += 64) best = fmaxf(best, from[c]);
  part[threadIdx.x] = best;
  __syncthreads();
  for (int t = 0; t < 64; ++t) best = fmaxf(best, part[t]);
  __syncthreads();
  for (int c = threadIdx.x; c < n; c += 64) total += expf(from[c] - best);
  part[threadIdx.x] = total;
  __syncthreads();
  total = 0.f;
  for (int t = 0; t < 64; ++t) total += part[t];
  for (int c = threadIdx.x; c < n; c += 64) out[(size_t)blockIdx.x * n + c] = expf(from[c] - best) / total;
}

extern "C" void softmax(const float* x, float* out, int rows, int n) { softmax_kernel<<<rows, 64>>>(x, out, n); }
""")


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        library.softmax(x, out, x.shape[0], x.shape[1])
        return out
