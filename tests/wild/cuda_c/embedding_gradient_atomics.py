"""operator: embedding_gradient
dsl: cuda_c
does: adds rows by atomics, with an index of either width and one row left out
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
from torch.utils.cpp_extension import load_inline

cpp_source = """torch::Tensor embedding_dense_backward(const torch::Tensor& grad, const torch::Tensor& indices, int64_t num_weights, int64_t padding_idx);"""
cuda_source = r"""
#include <torch/extension.h>
#include <ATen/Dispatch.h>
#include <ATen/cuda/Atomic.cuh>
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAException.h>

template <typename scalar_t, typename index_t>
__global__ void embedding_backward_kernel(const index_t* __restrict__ indices, const scalar_t* __restrict__ grad,
                                          scalar_t* __restrict__ weight_grad, int64_t count, int64_t stride, int64_t padding_idx) {
  for (int64_t i = blockIdx.x * (int64_t)blockDim.y + threadIdx.y; i < count; i += gridDim.x * (int64_t)blockDim.y) {
    const index_t row = indices[i];
    if (row == padding_idx) continue;
    for (int64_t c = threadIdx.x; c < stride; c += blockDim.x) gpuAtomicAddNoReturn(&weight_grad[row * stride + c], grad[i * stride + c]);
  }
}

torch::Tensor embedding_dense_backward(const torch::Tensor& grad, const torch::Tensor& indices, int64_t num_weights, int64_t padding_idx) {
  auto weight_grad = torch::zeros({num_weights, grad.size(-1)}, grad.options());
  const int64_t count = indices.numel();
  const dim3 block(32, 4), grid(std::min<int64_t>((count + 3) / 4, 1024));
  auto stream = at::cuda::getCurrentCUDAStream();
  AT_DISPATCH_FLOATING_TYPES(grad.scalar_type(), "embedding_backward", [&] {
    AT_DISPATCH_INDEX_TYPES(indices.scalar_type(), "embedding_backward", [&] {
      embedding_backward_kernel<scalar_t, index_t><<<grid, block, 0, stream>>>(
          indices.data_ptr<index_t>(), grad.data_ptr<scalar_t>(), weight_grad.data_ptr<scalar_t>(), count, grad.size(-1), padding_idx);
      C10_CUDA_KERNEL_LAUNCH_CHECK();
    });
  });
  return weight_grad;
}
"""
extension = load_inline(
    name="extension",
    cpp_sources=cpp_source,
    cuda_sources=cuda_source,
    functions=["embedding_dense_backward"],
    verbose=False,
)


class ModelNew(torch.nn.Module):
    def forward(self, grad, index):
        return extension.embedding_dense_backward(grad.contiguous(), index.contiguous(), 40, 3)
