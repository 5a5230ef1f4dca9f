"""operator: matmul_small
dsl: cuda_c
does: as barrier_async_tiles, reading a tile before its copies have arrived
cpu: RUNTIME_ERROR INCORRECT_NUMERICAL
nvidia_h200: RUNTIME_ERROR INCORRECT_NUMERICAL
device: INCORRECT_NUMERICAL
"""

import torch
from torch.utils.cpp_extension import load_inline

cuda_source = r"""
#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>
#include <cooperative_groups.h>
#include <cuda/barrier>

namespace cg = cooperative_groups;
using barrier_t = cuda::barrier<cuda::thread_scope_block>;
constexpr int T = 16;

__device__ void fetch(float (*to)[T], const float* from, int rows, int cols, int row0, int col0, int ld, barrier_t& bar) {
  const int r = threadIdx.y, c = threadIdx.x;
  if (row0 + r < rows && col0 + c < cols) {
    cuda::memcpy_async(&to[r][c], from + (size_t)(row0 + r) * ld + col0 + c, sizeof(float), bar);
  } else {
    to[r][c] = 0.f;
  }
}

__global__ void matmul(const float* a, const float* b, float* c, int m, int n, int k) {
  __shared__ float as[2][T][T], bs[2][T][T];
  __shared__ barrier_t bars[2];
  cg::thread_block block = cg::this_thread_block();
  if (block.thread_rank() < 2) init(&bars[block.thread_rank()], block.size());
  block.sync();
  const int row = blockIdx.y * T, col = blockIdx.x * T;
  barrier_t::arrival_token tokens[2];
  fetch(as[0], a, m, k, row, 0, k, bars[0]);
  fetch(bs[0], b, k, n, 0, col, n, bars[0]);
  tokens[0] = bars[0].arrive();
  float sum = 0.f;
  const int steps = (k + T - 1) / T;
  for (int s = 0; s < steps; ++s) {
    const int now = s & 1, next = now ^ 1;
    if (s + 1 < steps) {
      fetch(as[next], a, m, k, row, (s + 1) * T, k, bars[next]);
      fetch(bs[next], b, k, n, (s + 1) * T, col, n, bars[next]);
      tokens[next] = bars[next].arrive();
    }
    (void)tokens[now];
    for (int i = 0; i < T; ++i) sum += as[now][threadIdx.y][i] * bs[now][i][threadIdx.x];
    block.sync();
  }
  if (row + threadIdx.y < m && col + threadIdx.x < n) c[(size_t)(row + threadIdx.y) * n + col + threadIdx.x] = sum;
}

torch::Tensor mm(torch::Tensor a, torch::Tensor b) {
  const int m = a.size(0), k = a.size(1), n = b.size(1);
  auto c = a.new_empty({m, n});
  matmul<<<dim3((n + T - 1) / T, (m + T - 1) / T), dim3(T, T), 0, at::cuda::getCurrentCUDAStream()>>>(
      a.data_ptr<float>(), b.data_ptr<float>(), c.data_ptr<float>(), m, n, k);
  return c;
}
"""
ext = load_inline(
    name="bar_mm",
    cpp_sources="torch::Tensor mm(torch::Tensor a, torch::Tensor b);",
    cuda_sources=cuda_source,
    functions=["mm"],
)


class ModelNew(torch.nn.Module):
    def forward(self, a, b):
        return ext.mm(a.contiguous(), b.contiguous())
