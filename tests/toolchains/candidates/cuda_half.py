"""Counts with atomics and votes how many products are positive, and gives each product that many times over 512."""

import torch

from akgflow.toolchains.cuda_c import load

library = load(r"""
#include <cuda_bf16.h>
#include <cuda_fp16.h>

__constant__ float scale[1];

__global__ void count_kernel(const __nv_bfloat16* x, const __nv_bfloat16* y, int* counts, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  const bool positive = i < n && __bfloat162float(x[i]) * __bfloat162float(y[i]) > 0.f;
  const unsigned votes = __ballot_sync(0xffffffffu, positive);
  if (threadIdx.x % 32 == 0) atomicAdd(counts, __popc(votes));
  atomicMax(counts + 1, positive ? i : -1);
}

__global__ void write_kernel(const __nv_bfloat16* x, const __nv_bfloat16* y, __nv_bfloat16* out, const int* counts,
                             int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const __half half = __float2half(float(counts[0]) * scale[0]);
  out[i] = __float2bfloat16(__bfloat162float(x[i] * y[i]) * __half2float(half));
}

extern "C" {
void weigh(const __nv_bfloat16* x, const __nv_bfloat16* y, __nv_bfloat16* out, int n) {
  int* counts;
  float value = 1.f / 512.f;
  cudaMemcpyToSymbol(scale, &value, sizeof value);
  cudaMalloc(&counts, 2 * sizeof(int));
  cudaMemset(counts, 0, 2 * sizeof(int));
  const int blocks = (n + 63) / 64;
  count_kernel<<<blocks, 64>>>(x, y, counts, n);
  write_kernel<<<blocks, 64, 0, 0>>>(x, y, out, counts, n);
  cudaFree(counts);
}
}
""")


class ModelNew(torch.nn.Module):
    def forward(self, x, y):
        out = torch.empty_like(x)
        library.weigh(x, y, out, x.numel())
        return out


def reference(inputs, parameters):
    x, y = (t.bfloat16() for t in inputs)
    count = (x.double() * y.double() > 0).sum()
    return ((x * y).float() * (count / 512).half().float()).bfloat16().double()
