"""operator: absmax_quantize
dsl: cuda_c
does: takes the largest value for the largest magnitude
cpu: INCORRECT_NUMERICAL
nvidia_h200: INCORRECT_NUMERICAL
device: INCORRECT_NUMERICAL
"""

import torch
from torch.utils.cpp_extension import load_inline

cpp_source = """void dynamic_scaled_int8_quant(torch::Tensor& out, torch::Tensor const& input, torch::Tensor& scale);"""
cuda_source = r"""
#include <torch/all.h>
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAGuard.h>

__device__ __forceinline__ float atomicMaxFloat(float* addr, float value) {
  float old;
  old = (value >= 0) ? __int_as_float(atomicMax((int*)addr, __float_as_int(value)))
                     : __uint_as_float(atomicMin((unsigned int*)addr, __float_as_uint(value)));
  return old;
}

template <typename scalar_t>
__global__ void segmented_max_reduction(float* __restrict__ scale, const scalar_t* __restrict__ input, int64_t num_elems) {
  __shared__ float cache[256];
  int64_t i = blockDim.x * blockIdx.x + threadIdx.x;
  float tmp = 0.0;
  while (i < num_elems) {
    float x = static_cast<float>(input[i]);
    tmp = max(tmp, x);
    i += blockDim.x * gridDim.x;
  }
  cache[threadIdx.x] = tmp;
  __syncthreads();
  int ib = blockDim.x / 2;
  while (ib != 0) {
    if (threadIdx.x < ib && cache[threadIdx.x + ib] > cache[threadIdx.x]) cache[threadIdx.x] = cache[threadIdx.x + ib];
    __syncthreads();
    ib /= 2;
  }
  if (threadIdx.x == 0) atomicMaxFloat(scale, cache[0]);
}

__global__ void finish_scale(float* scale) { *scale = fmaxf(*scale, 1e-10f) / 127.0f; }

template <typename scalar_t>
__global__ void scaled_int8_quant_kernel(int8_t* __restrict__ out, const scalar_t* __restrict__ input, const float* __restrict__ scale, int64_t num_elems) {
  const int64_t tid = (int64_t)blockDim.x * blockIdx.x + threadIdx.x;
  const float s = *scale;
  for (int64_t i = tid; i < num_elems; i += (int64_t)blockDim.x * gridDim.x) {
    const float r = nearbyintf(static_cast<float>(input[i]) / s);
    out[i] = static_cast<int8_t>(fminf(fmaxf(r, -127.f), 127.f));
  }
}

void dynamic_scaled_int8_quant(torch::Tensor& out, torch::Tensor const& input, torch::Tensor& scale) {
  const int64_t num_elems = input.numel();
  const dim3 grid(std::min<int64_t>((num_elems + 255) / 256, 8)), block(256);
  const at::cuda::OptionalCUDAGuard device_guard(device_of(input));
  const cudaStream_t stream = at::cuda::getCurrentCUDAStream();
  scale.zero_();
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kHalf, at::kBFloat16, input.scalar_type(), "scaled_int8_quant", [&] {
    segmented_max_reduction<scalar_t><<<grid, block, 0, stream>>>(scale.data_ptr<float>(), input.data_ptr<scalar_t>(), num_elems);
    finish_scale<<<1, 1, 0, stream>>>(scale.data_ptr<float>());
    scaled_int8_quant_kernel<scalar_t><<<grid, block, 0, stream>>>(out.data_ptr<int8_t>(), input.data_ptr<scalar_t>(), scale.data_ptr<float>(), num_elems);
  });
}
"""
extension = load_inline(
    name="extension",
    cpp_sources=cpp_source,
    cuda_sources=cuda_source,
    functions=["dynamic_scaled_int8_quant"],
    verbose=False,
)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        out = torch.empty_like(x, dtype=torch.int8)
        scale = torch.empty((), dtype=torch.float32, device=x.device)
        extension.dynamic_scaled_int8_quant(out, x, scale)
        return out, scale
