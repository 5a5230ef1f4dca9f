"""Row sums with a bias, in KernelBench's form: torch's load_inline with C++ and CUDA sources."""

import torch
from torch.utils.cpp_extension import load_inline

CUDA = r"""
#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>
#include <cuda_runtime.h>

template <typename scalar_t>
__global__ void row_sums_kernel(const scalar_t* __restrict__ x, const scalar_t* __restrict__ bias,
                                scalar_t* __restrict__ out, int cols) {
  extern __shared__ float partial[];
  float sum = 0.0f;
  for (int i = threadIdx.x; i < cols; i += blockDim.x) sum += static_cast<float>(x[(size_t)blockIdx.x * cols + i]);
  partial[threadIdx.x] = sum;
  __syncthreads();
  for (int half = blockDim.x / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) partial[threadIdx.x] += partial[threadIdx.x + half];
    __syncthreads();
  }
  if (threadIdx.x == 0) out[blockIdx.x] = static_cast<scalar_t>(partial[0] + static_cast<float>(bias[blockIdx.x]));
}

torch::Tensor row_sums(torch::Tensor x, torch::Tensor bias) {
  TORCH_CHECK(x.is_cuda(), "x must be a CUDA tensor");
  TORCH_CHECK(x.dim() == 2, "x must have two dimensions, has ", x.dim());
  x = x.contiguous();
  auto out = torch::empty({x.size(0)}, x.options());
  const int threads = 128;
  AT_DISPATCH_FLOATING_TYPES_AND2(at::ScalarType::Half, at::ScalarType::BFloat16, x.scalar_type(), "row_sums", ([&] {
    row_sums_kernel<scalar_t><<<x.size(0), threads, threads * sizeof(float), at::cuda::getCurrentCUDAStream()>>>(
        x.data_ptr<scalar_t>(), bias.data_ptr<scalar_t>(), out.data_ptr<scalar_t>(), (int)x.size(1));
  }));
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return out;
}
"""

library = load_inline(
    name="row_sums",
    cpp_sources="torch::Tensor row_sums(torch::Tensor x, torch::Tensor bias);",
    cuda_sources=CUDA,
    functions=["row_sums"],
    extra_cuda_cflags=["-O3"],
    verbose=False,
)


class ModelNew(torch.nn.Module):
    def __init__(self, rows):
        super().__init__()
        self.bias = torch.nn.Parameter(torch.zeros(rows))

    def forward(self, x):
        return library.row_sums(x, self.bias)


def reference(inputs, parameters):
    return inputs[0].sum(1) + parameters["bias"]
