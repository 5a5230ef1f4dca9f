"""operator: matmul_leaky
dsl: cuda_c
does: leaves one group of asynchronous copies under way at the last step
cpu: INCORRECT_NUMERICAL RUNTIME_ERROR
nvidia_h200: INCORRECT_NUMERICAL RUNTIME_ERROR
device: PASSED INCORRECT_NUMERICAL
"""

import torch
from torch.utils.cpp_extension import load_inline

cpp_source = """torch::Tensor matmul_leaky(torch::Tensor a, torch::Tensor b);"""
cuda_source = r"""
#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>
#include <cuda_fp16.h>

#define CP_ASYNC_CG(dst, src, bytes) asm volatile("cp.async.cg.shared.global [%0], [%1], %2;\n" ::"r"(dst), "l"(src), "n"(bytes))
#define CP_ASYNC_COMMIT_GROUP() asm volatile("cp.async.commit_group;\n" ::)
#define CP_ASYNC_WAIT_GROUP(n) asm volatile("cp.async.wait_group %0;\n" ::"n"(n))
#define LDMATRIX_X4(R0, R1, R2, R3, addr) \
  asm volatile("ldmatrix.sync.aligned.x4.m8n8.shared.b16 {%0, %1, %2, %3}, [%4];\n" : "=r"(R0), "=r"(R1), "=r"(R2), "=r"(R3) : "r"(addr))
#define LDMATRIX_X2_T(R0, R1, addr) \
  asm volatile("ldmatrix.sync.aligned.x2.trans.m8n8.shared.b16 {%0, %1}, [%2];\n" : "=r"(R0), "=r"(R1) : "r"(addr))
#define HMMA16816F32(D0, D1, D2, D3, A0, A1, A2, A3, B0, B1)                                                     \
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, " \
               "{%0, %1, %2, %3};\n"                                                                              \
               : "+f"(D0), "+f"(D1), "+f"(D2), "+f"(D3)                                                           \
               : "r"(A0), "r"(A1), "r"(A2), "r"(A3), "r"(B0), "r"(B1))

constexpr int BM = 16, BN = 16, BK = 32, PAD = 8;

__global__ void mma_kernel(const half* __restrict__ a, const half* __restrict__ b, half* __restrict__ c, int m, int n, int k) {
  __shared__ __align__(16) half as[2][BM][BK + PAD];
  __shared__ __align__(16) half bs[2][BK][BN + PAD];
  const int lane = threadIdx.x, row = blockIdx.y * BM, col = blockIdx.x * BN;
  auto fetch = [&](int stage, int p) {
    for (int i = lane; i < BM * BK / 8; i += 32) {
      const int r = i / (BK / 8), q = i % (BK / 8) * 8;
      const uint32_t to = __cvta_generic_to_shared(&as[stage][r][q]);
      if (row + r < m) CP_ASYNC_CG(to, a + (size_t)(row + r) * k + p + q, 16);
      else *reinterpret_cast<uint4*>(&as[stage][r][q]) = make_uint4(0, 0, 0, 0);
    }
    for (int i = lane; i < BK * BN / 8; i += 32) {
      const int r = i / (BN / 8), q = i % (BN / 8) * 8;
      const uint32_t to = __cvta_generic_to_shared(&bs[stage][r][q]);
      CP_ASYNC_CG(to, b + (size_t)(p + r) * n + col + q, 16);
    }
    CP_ASYNC_COMMIT_GROUP();
  };
  float acc[2][4] = {};
  const int steps = k / BK;
  fetch(0, 0);
  for (int s = 0; s < steps; ++s) {
    if (s + 1 < steps) {
      fetch((s + 1) & 1, (s + 1) * BK);
      CP_ASYNC_WAIT_GROUP(1);
    } else {
      CP_ASYNC_WAIT_GROUP(1);
    }
    __syncthreads();
#pragma unroll
    for (int kk = 0; kk < BK; kk += 16) {
      uint32_t ra[4], rb[2];
      LDMATRIX_X4(ra[0], ra[1], ra[2], ra[3], (uint32_t)__cvta_generic_to_shared(&as[s & 1][lane % 16][kk + lane / 16 * 8]));
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        LDMATRIX_X2_T(rb[0], rb[1], (uint32_t)__cvta_generic_to_shared(&bs[s & 1][kk + lane % 16][j * 8]));
        HMMA16816F32(acc[j][0], acc[j][1], acc[j][2], acc[j][3], ra[0], ra[1], ra[2], ra[3], rb[0], rb[1]);
      }
    }
    __syncthreads();
  }
  for (int j = 0; j < 2; ++j) {
    for (int e = 0; e < 4; ++e) {
      const int r = row + lane / 4 + e / 2 * 8, q = col + j * 8 + lane % 4 * 2 + e % 2;
      const float v = acc[j][e];
      if (r < m && q < n) c[(size_t)r * n + q] = __float2half(v >= 0.f ? v : 0.01f * v);
    }
  }
}

torch::Tensor matmul_leaky(torch::Tensor a, torch::Tensor b) {
  const int m = a.size(0), k = a.size(1), n = b.size(1);
  TORCH_CHECK(k % BK == 0 && n % BN == 0, "whole steps and whole columns of tiles");
  auto c = torch::empty({m, n}, a.options());
  mma_kernel<<<dim3(n / BN, (m + BM - 1) / BM), 32, 0, at::cuda::getCurrentCUDAStream()>>>(
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
