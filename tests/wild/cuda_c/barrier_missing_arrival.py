"""operator: rowsum
dsl: cuda_c
does: a barrier object that expects one arrival more than come
cpu: RUNTIME_ERROR
nvidia_h200: RUNTIME_ERROR
device: TIMEOUT RUNTIME_ERROR
"""

import torch
from torch.utils.cpp_extension import load_inline

cuda_source = r"""
#include <torch/extension.h>
#include <cooperative_groups.h>
#include <cuda/barrier>

#pragma nv_diag_suppress static_var_with_dynamic_init

using barrier = cuda::barrier<cuda::thread_scope_block>;

__global__ void row_sum(const float* __restrict__ x, float* __restrict__ out, int cols) {
  __shared__ float part[128];
  __shared__ barrier bar;
  auto block = cooperative_groups::this_thread_block();
  if (block.thread_rank() == 0) init(&bar, block.size() + 1);
  block.sync();
  float s = 0.f;
  for (int c = threadIdx.x; c < cols; c += blockDim.x) s += x[(size_t)blockIdx.x * cols + c];
  part[threadIdx.x] = s;
  bar.arrive_and_wait();
  for (int h = blockDim.x / 2; h > 0; h >>= 1) {
    if (threadIdx.x < h) part[threadIdx.x] += part[threadIdx.x + h];
    barrier::arrival_token token = bar.arrive();
    bar.wait(std::move(token));
  }
  if (threadIdx.x == 0) out[blockIdx.x] = part[0];
}
torch::Tensor row_sums(torch::Tensor x) {
  auto rows = x.size(0);
  auto out = torch::empty({rows}, x.options());
  row_sum<<<rows, 128>>>(x.data_ptr<float>(), out.data_ptr<float>(), x.size(1));
  return out;
}
"""
ext = load_inline(
    name="bar_sum",
    cpp_sources="torch::Tensor row_sums(torch::Tensor x);",
    cuda_sources=cuda_source,
    functions=["row_sums"],
)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        return ext.row_sums(x.contiguous())
