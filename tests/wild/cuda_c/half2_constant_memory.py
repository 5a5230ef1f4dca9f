"""operator: scaled_add_half
dsl: cuda_c
does: half2 loads through float4, factors in constant memory copied by symbol, column sums by float atomics of blocks
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
from torch.utils.cpp_extension import load_inline

cuda_source = r"""
#include <torch/extension.h>
#include <cuda_fp16.h>
#include <c10/cuda/CUDAStream.h>

__constant__ float c_scale[4];
__device__ int d_calls = 0;

#define CHECK_CUDA(x) TORCH_CHECK(x.device().is_cuda(), #x " must be a CUDA tensor")
#define CHECK_CONTIGUOUS(x) TORCH_CHECK(x.is_contiguous(), #x " must be contiguous")
#define CHECK_INPUT(x) CHECK_CUDA(x); CHECK_CONTIGUOUS(x)
#define FLOAT4(value) (reinterpret_cast<const float4*>(&(value))[0])
#define CEIL(a, b) (((a) + (b) - 1) / (b))

template <typename T, int N>
struct __align__(sizeof(T) * N) Pack { T v[N]; };

__global__ void add_kernel(const half* x, const half* y, half* out, float* sums, int rows, int cols, float alpha) {
  extern __shared__ __align__(16) unsigned char raw[];
  float* part = reinterpret_cast<float*>(raw);
  for (int c = threadIdx.x; c < cols; c += blockDim.x) part[c] = 0.f;
  __syncthreads();
  const int packs = cols / 8;
  for (int i = threadIdx.x; i < packs; i += blockDim.x) {
    for (int r = blockIdx.x; r < rows; r += gridDim.x) {
      const int64_t at = (int64_t)r * cols + i * 8;
      float4 xv = FLOAT4(x[at]), yv = FLOAT4(y[at]);
      const half2* xh = reinterpret_cast<half2*>(&xv);
      const half2* yh = reinterpret_cast<half2*>(&yv);
      Pack<half2, 4> o;
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        float2 a = __half22float2(xh[j]), b = __half22float2(yh[j]);
        a.x = a.x * c_scale[(2 * j) & 3] + alpha * b.x;
        a.y = a.y * c_scale[(2 * j + 1) & 3] + alpha * b.y;
        a.x = fminf(fmaxf(a.x, -4.f), 4.f);
        a.y = fminf(fmaxf(a.y, -4.f), 4.f);
        atomicAdd(&part[i * 8 + 2 * j], a.x);
        atomicAdd(&part[i * 8 + 2 * j + 1], a.y);
        o.v[j] = __float22half2_rn(a);
      }
      *reinterpret_cast<Pack<half2, 4>*>(out + at) = o;
    }
  }
  __syncthreads();
  for (int c = threadIdx.x; c < cols; c += blockDim.x) atomicAdd(sums + c, part[c]);
}

std::pair<torch::Tensor, torch::Tensor> scaled_add(torch::Tensor x, torch::Tensor y, torch::Tensor scale, float alpha) {
  CHECK_INPUT(x);
  CHECK_INPUT(y);
  const int rows = x.size(0), cols = x.size(-1);
  TORCH_CHECK(cols % 8 == 0, "columns must be a multiple of 8 but are ", cols);
  auto stream = c10::cuda::getCurrentCUDAStream(x.get_device());
  cudaError_t err = cudaMemcpyToSymbolAsync(c_scale, scale.data_ptr<float>(), 4 * sizeof(float), 0, cudaMemcpyDeviceToDevice, stream);
  TORCH_CHECK(err == cudaSuccess, "copy failed: ", cudaGetErrorString(err));
  auto out = torch::empty_like(x);
  auto sums = torch::zeros({cols}, torch::TensorOptions().dtype(torch::kFloat32).device(x.device()));
  const size_t smem = cols * sizeof(float);
  if (smem > 48 * 1024) cudaFuncSetAttribute(add_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)smem);
  dim3 grid(std::min(rows, 4)), block(64);
  add_kernel<<<grid, block, smem, stream>>>(
      reinterpret_cast<const half*>(x.data_ptr<at::Half>()), reinterpret_cast<const half*>(y.data_ptr<at::Half>()),
      reinterpret_cast<half*>(out.data_ptr<at::Half>()), sums.data_ptr<float>(), rows, cols, alpha);
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return {out, sums};
}
"""
cpp = "std::pair<torch::Tensor, torch::Tensor> scaled_add(torch::Tensor x, torch::Tensor y, torch::Tensor scale, float alpha);"
ext = load_inline(name="half_add", cpp_sources=cpp, cuda_sources=cuda_source, functions=["scaled_add"], with_cuda=True)


class ModelNew(torch.nn.Module):
    def __init__(self, alpha=0.5):
        super().__init__()
        self.register_buffer("scale", torch.tensor([1.5, -0.25, 2.0, 1.0]))
        self.alpha = alpha

    def forward(self, x, y):
        return ext.scaled_add(x.contiguous(), y.contiguous(), self.scale, self.alpha)
