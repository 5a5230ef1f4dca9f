"""operator: matmul_f32
dsl: cuda_c
does: splits K over blocks; the last block of a tile to arrive, known by a counter, adds the parts in order and sets the counter back
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
from torch.utils.cpp_extension import load_inline

cpp_source = """torch::Tensor matmul(torch::Tensor a, torch::Tensor b, int64_t splits);"""
cuda_source = r"""
#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>

constexpr int TILE = 16, kMaxTiles = 4096;
__device__ unsigned int semaphores[kMaxTiles];

__global__ void split_k(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ parts, float* __restrict__ c, int m, int n, int k, int per) {
  __shared__ float as[TILE][TILE + 1], bs[TILE][TILE + 1];
  __shared__ bool last;
  const int row = blockIdx.y * TILE + threadIdx.y, col = blockIdx.x * TILE + threadIdx.x;
  const int begin = blockIdx.z * per, end = min(k, begin + per);
  float sum = 0.f;
  for (int p = begin; p < end; p += TILE) {
    as[threadIdx.y][threadIdx.x] = row < m && p + threadIdx.x < end ? a[row * k + p + threadIdx.x] : 0.f;
    bs[threadIdx.y][threadIdx.x] = col < n && p + threadIdx.y < end ? b[(p + threadIdx.y) * n + col] : 0.f;
    __syncthreads();
#pragma unroll
    for (int i = 0; i < TILE; ++i) sum = fmaf(as[threadIdx.y][i], bs[i][threadIdx.x], sum);
    __syncthreads();
  }
  if (row < m && col < n) parts[((size_t)blockIdx.z * m + row) * n + col] = sum;
  __threadfence();
  __syncthreads();
  const int tile = blockIdx.y * gridDim.x + blockIdx.x;
  if (threadIdx.x == 0 && threadIdx.y == 0) {
    last = atomicAdd(&semaphores[tile], 1u) == gridDim.z - 1;
    if (last) semaphores[tile] = 0;
  }
  __syncthreads();
  if (last && row < m && col < n) {
    __threadfence();
    float total = 0.f;
    for (int z = 0; z < gridDim.z; ++z) total += __ldcg(&parts[((size_t)z * m + row) * n + col]);
    c[row * n + col] = total;
  }
}

torch::Tensor matmul(torch::Tensor a, torch::Tensor b, int64_t splits) {
  const int m = a.size(0), k = a.size(1), n = b.size(1);
  auto parts = torch::empty({splits, m, n}, a.options());
  auto c = torch::empty({m, n}, a.options());
  const dim3 grid((n + TILE - 1) / TILE, (m + TILE - 1) / TILE, splits), block(TILE, TILE);
  TORCH_CHECK(grid.x * grid.y <= kMaxTiles, "too many tiles");
  split_k<<<grid, block, 0, at::cuda::getCurrentCUDAStream()>>>(a.data_ptr<float>(), b.data_ptr<float>(), parts.data_ptr<float>(), c.data_ptr<float>(), m, n, k, (k + splits - 1) / splits);
  return c;
}
"""
extension = load_inline(
    name="extension",
    cpp_sources=cpp_source,
    cuda_sources=cuda_source,
    functions=["matmul"],
    verbose=False,
)


class ModelNew(torch.nn.Module):
    def forward(self, a, b):
        return extension.matmul(a.contiguous(), b.contiguous(), 4)
