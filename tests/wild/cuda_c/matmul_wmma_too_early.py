"""operator: matmul_leaky
dsl: cuda_c
does: loads fragments before all lanes have filled shared memory
cpu: RUNTIME_ERROR INCORRECT_NUMERICAL
nvidia_h200: RUNTIME_ERROR INCORRECT_NUMERICAL
device: PASSED INCORRECT_NUMERICAL
"""

import torch
from torch.utils.cpp_extension import load_inline

cpp_source = """torch::Tensor matmul_leaky(torch::Tensor a, torch::Tensor b);"""
cuda_source = r"""
#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>
#include <cuda_fp16.h>
#include <mma.h>
using namespace nvcuda;

constexpr int WM = 16, WN = 16, WK = 16;

__global__ void wmma_kernel(const half* __restrict__ a, const half* __restrict__ b, half* __restrict__ c, int m, int n, int k) {
  __shared__ half as[WM * WK], bs[WK * WN];
  __shared__ float cs[WM * WN];
  const int row = blockIdx.y * WM, col = blockIdx.x * WN, lane = threadIdx.x;
  wmma::fragment<wmma::matrix_a, WM, WN, WK, half, wmma::row_major> a_frag;
  wmma::fragment<wmma::matrix_b, WM, WN, WK, half, wmma::row_major> b_frag;
  wmma::fragment<wmma::accumulator, WM, WN, WK, float> acc;
  wmma::fill_fragment(acc, 0.0f);
  for (int p = 0; p < k; p += WK) {
    for (int i = lane; i < WM * WK; i += 32) {
      const int r = i / WK, q = i % WK;
      as[i] = row + r < m && p + q < k ? a[(row + r) * k + p + q] : __float2half(0.f);
      bs[i] = p + r < k && col + q < n ? b[(p + r) * n + col + q] : __float2half(0.f);
    }
    wmma::load_matrix_sync(a_frag, as, WK);
    wmma::load_matrix_sync(b_frag, bs, WN);
    wmma::mma_sync(acc, a_frag, b_frag, acc);
    __syncwarp();
  }
  for (int t = 0; t < acc.num_elements; ++t) acc.x[t] = acc.x[t] >= 0.f ? acc.x[t] : 0.01f * acc.x[t];
  wmma::store_matrix_sync(cs, acc, WN, wmma::mem_row_major);
  __syncwarp();
  for (int i = lane; i < WM * WN; i += 32) {
    const int r = row + i / WN, q = col + i % WN;
    if (r < m && q < n) c[r * n + q] = __float2half(cs[i]);
  }
}

torch::Tensor matmul_leaky(torch::Tensor a, torch::Tensor b) {
  const int m = a.size(0), k = a.size(1), n = b.size(1);
  auto c = torch::empty({m, n}, a.options());
  const dim3 grid((n + WN - 1) / WN, (m + WM - 1) / WM);
  wmma_kernel<<<grid, 32, 0, at::cuda::getCurrentCUDAStream()>>>(
      reinterpret_cast<const half*>(a.data_ptr<at::Half>()), reinterpret_cast<const half*>(b.data_ptr<at::Half>()),
      reinterpret_cast<half*>(c.data_ptr<at::Half>()), m, n, k);
  return c;
}
"""
extension = load_inline(
    name="extension",
    cpp_sources=cpp_source,
    cuda_sources=cuda_source,
    functions=["matmul_leaky"],
    verbose=False,
)


class ModelNew(torch.nn.Module):
    def forward(self, a, b):
        return extension.matmul_leaky(a.contiguous(), b.contiguous())
