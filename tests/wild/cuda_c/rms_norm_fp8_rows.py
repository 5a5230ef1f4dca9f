"""operator: rms_norm_fp8
dsl: cuda_c
does: normalises rows, finds their largest magnitude by CUB and by shuffles, and rounds to float8 with its scale
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
from torch.utils.cpp_extension import load_inline

cuda_src = r"""
#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/util/Float8_e4m3fn.h>
#include <cuda_fp8.h>
#include <cub/cub.cuh>

#define FP8_E4M3_MAX 448.0f

__device__ __forceinline__ float atomicMaxFloat(float* addr, float value) {
  float old;
  old = (value >= 0) ? __int_as_float(atomicMax((int*)addr, __float_as_int(value)))
                     : __uint_as_float(atomicMin((unsigned int*)addr, __float_as_uint(value)));
  return old;
}

__device__ __forceinline__ float warpReduceMax(float max_value) {
  max_value = fmaxf(max_value, __shfl_xor_sync(0xffffffff, max_value, 16));
  max_value = fmaxf(max_value, __shfl_xor_sync(0xffffffff, max_value, 8));
  max_value = fmaxf(max_value, __shfl_xor_sync(0xffffffff, max_value, 4));
  max_value = fmaxf(max_value, __shfl_xor_sync(0xffffffff, max_value, 2));
  max_value = fmaxf(max_value, __shfl_xor_sync(0xffffffff, max_value, 1));
  return max_value;
}

__device__ __forceinline__ float blockReduceMax(float max_value) {
  static __shared__ float warpLevelMaxs[32];
  const int laneId = threadIdx.x % 32;
  const int warpId = threadIdx.x / 32;
  max_value = warpReduceMax(max_value);
  if (laneId == 0) warpLevelMaxs[warpId] = max_value;
  __syncthreads();
  max_value = (threadIdx.x < blockDim.x / 32) ? warpLevelMaxs[laneId] : 0;
  if (warpId == 0) max_value = warpReduceMax(max_value);
  return max_value;
}

template <typename T, int kBlock>
__global__ void __launch_bounds__(kBlock) rms_quant_kernel(const T* __restrict__ x, const T* __restrict__ w, __nv_fp8_e4m3* __restrict__ out, float* __restrict__ scales, int n, float eps) {
  using BlockReduce = cub::BlockReduce<float, kBlock>;
  __shared__ typename BlockReduce::TempStorage temp;
  __shared__ float s_rstd, s_scale;
  const int64_t row = blockIdx.x;
  float acc = 0.f;
  for (int i = threadIdx.x; i < n; i += kBlock) { float v = static_cast<float>(x[row * n + i]); acc += v * v; }
  acc = BlockReduce(temp).Sum(acc);
  if (threadIdx.x == 0) s_rstd = rsqrtf(acc / n + eps);
  __syncthreads();
  float m = 0.f;
  for (int i = threadIdx.x; i < n; i += kBlock) m = fmaxf(m, fabsf(static_cast<float>(x[row * n + i]) * s_rstd * static_cast<float>(w[i])));
  m = blockReduceMax(m);
  if (threadIdx.x == 0) { s_scale = fmaxf(m, 1e-8f) / FP8_E4M3_MAX; scales[row] = s_scale; }
  __syncthreads();
  const float s = s_scale;
  for (int i = threadIdx.x; i < n; i += kBlock) {
    float y = static_cast<float>(x[row * n + i]) * s_rstd * static_cast<float>(w[i]) / s;
    y = fmaxf(-FP8_E4M3_MAX, fminf(y, FP8_E4M3_MAX));
    out[row * n + i] = __nv_fp8_e4m3(y);
  }
}

std::tuple<torch::Tensor, torch::Tensor> rms_quant(const torch::Tensor& x, const torch::Tensor& w, double eps) {
  TORCH_CHECK(x.is_cuda() && w.is_cuda(), "CUDA tensors");
  const at::cuda::OptionalCUDAGuard guard(device_of(x));
  const auto stream = at::cuda::getCurrentCUDAStream();
  auto out = torch::empty_like(x, x.options().dtype(torch::kFloat8_e4m3fn));
  auto scales = torch::empty({x.size(0), 1}, x.options().dtype(at::kFloat));
  const int n = x.size(-1);
  AT_DISPATCH_FLOATING_TYPES_AND2(at::ScalarType::Half, at::ScalarType::BFloat16, x.scalar_type(), "rms_quant", [&] {
    rms_quant_kernel<scalar_t, 128><<<x.size(0), 128, 0, stream>>>(x.data_ptr<scalar_t>(), w.data_ptr<scalar_t>(),
      reinterpret_cast<__nv_fp8_e4m3*>(out.data_ptr()), scales.data_ptr<float>(), n, static_cast<float>(eps));
    C10_CUDA_KERNEL_LAUNCH_CHECK();
  });
  return {out, scales};
}
"""
cpp_src = (
    "std::tuple<torch::Tensor, torch::Tensor> rms_quant(const torch::Tensor& x, const torch::Tensor& w, double eps);"
)
mod = load_inline(
    name="rms_quant",
    cpp_sources=[cpp_src],
    cuda_sources=[cuda_src],
    functions=["rms_quant"],
    extra_cuda_cflags=["-O3", "--use_fast_math", "-std=c++17"],
    extra_cflags=["-O3"],
    with_cuda=True,
)


class ModelNew(torch.nn.Module):
    def forward(self, x, weight):
        return mod.rms_quant(x.contiguous(), weight.contiguous(), 1e-6)
