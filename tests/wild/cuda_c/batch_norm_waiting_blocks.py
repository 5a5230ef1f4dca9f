"""operator: batch_statistics
dsl: cuda_c
does: a barrier of the grid by hand: a counter that all blocks add to, and a loop that looks at volatile memory
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
from torch.utils.cpp_extension import load_inline

src = r"""
#include <torch/extension.h>
__device__ void grid_barrier(unsigned* count, unsigned expected) {
  __syncthreads();
  if (threadIdx.x == 0) {
    __threadfence();
    atomicAdd(count, 1u);
    while (*(volatile unsigned*)count < expected) { __nanosleep(32); }
    __threadfence();
  }
  __syncthreads();
}
__global__ void bn(const float* x, float* part, unsigned* count, float* mean, float* inv, float* y, int N, int C, int HW) {
  __shared__ float s[64];
  const int c = blockIdx.y, b = blockIdx.x, t = threadIdx.x;
  auto at = [&](int i) { return (i / HW) * C * HW + c * HW + i % HW; };
  auto total = [&](float v) {
    s[t] = v;
    __syncthreads();
    for (int o = 32; o > 0; o >>= 1) { if (t < o) s[t] += s[t + o]; __syncthreads(); }
    const float r = s[0];
    __syncthreads();
    return r;
  };
  float a = 0.f;
  for (int i = b * 64 + t; i < N * HW; i += gridDim.x * 64) a += x[at(i)];
  a = total(a);
  if (t == 0) part[c * gridDim.x + b] = a;
  grid_barrier(count + c, gridDim.x);
  float m = 0.f;
  for (int i = 0; i < gridDim.x; ++i) m += __ldcg(part + c * gridDim.x + i);
  m /= N * HW;
  a = 0.f;
  for (int i = b * 64 + t; i < N * HW; i += gridDim.x * 64) a += (x[at(i)] - m) * (x[at(i)] - m);
  a = total(a);
  if (t == 0) part[(C + c) * gridDim.x + b] = a;
  grid_barrier(count + c, 2 * gridDim.x);
  float v = 0.f;
  for (int i = 0; i < gridDim.x; ++i) v += __ldcg(part + (C + c) * gridDim.x + i);
  const float r = rsqrtf(v / (N * HW) + 1e-5f);
  if (b == 0 && t == 0) { mean[c] = m; inv[c] = r; }
  for (int i = b * 64 + t; i < N * HW; i += gridDim.x * 64) y[at(i)] = (x[at(i)] - m) * r;
}
std::vector<torch::Tensor> run(torch::Tensor x) {
  const int N = x.size(0), C = x.size(1), HW = x.size(2) * x.size(3);
  auto part = torch::empty({2 * C, 3}, x.options()), mean = torch::empty({C}, x.options()), inv = torch::empty({C}, x.options());
  auto count = torch::zeros({C}, x.options().dtype(torch::kInt));
  auto y = torch::empty_like(x);
  bn<<<dim3(3, C), 64>>>(x.data_ptr<float>(), part.data_ptr<float>(), (unsigned*)count.data_ptr<int>(), mean.data_ptr<float>(), inv.data_ptr<float>(), y.data_ptr<float>(), N, C, HW);
  return {mean, inv, y};
}
"""
m = load_inline("bn_hand", "std::vector<torch::Tensor> run(torch::Tensor x);", src, ["run"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        return tuple(m.run(x.contiguous()))
