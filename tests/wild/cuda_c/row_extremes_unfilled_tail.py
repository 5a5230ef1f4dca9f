"""operator: row_extremes
dsl: cuda_c
does: a thread an element; threads past the row leave their places of the shared row as they find them
cpu: INCORRECT_NUMERICAL
nvidia_h200: INCORRECT_NUMERICAL
device: PASSED INCORRECT_NUMERICAL
"""

import torch
from torch.utils.cpp_extension import load_inline

cpp_source = "std::vector<torch::Tensor> row_extremes(torch::Tensor x);"
cuda_source = r"""
#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>

constexpr int kThreads = 256;

__global__ void row_extremes_kernel(const float* x, float* lse, float* top, int64_t* place, int cols) {
  __shared__ float value[kThreads];
  __shared__ int index[kThreads];
  const int t = threadIdx.x;
  if (t < cols) {
    value[t] = x[blockIdx.x * cols + t];
    index[t] = t;
  }
  __syncthreads();
  for (int half = kThreads / 2; half > 0; half /= 2) {
    if (t < half && value[t + half] > value[t]) {
      value[t] = value[t + half];
      index[t] = index[t + half];
    }
    __syncthreads();
  }
  const float best = value[0];
  const int where = index[0];
  __syncthreads();
  value[t] = t < cols ? expf(x[blockIdx.x * cols + t] - best) : 0.f;
  __syncthreads();
  for (int half = kThreads / 2; half > 0; half /= 2) {
    if (t < half) value[t] += value[t + half];
    __syncthreads();
  }
  if (t == 0) {
    lse[blockIdx.x] = best + logf(value[0]);
    top[blockIdx.x] = best;
    place[blockIdx.x] = where;
  }
}

std::vector<torch::Tensor> row_extremes(torch::Tensor x) {
  const int rows = x.size(0), cols = x.size(1);
  TORCH_CHECK(cols <= kThreads, "rows of at most ", kThreads, " elements");
  auto lse = torch::empty({rows}, x.options()), top = torch::empty({rows}, x.options());
  auto place = torch::empty({rows}, x.options().dtype(torch::kInt64));
  row_extremes_kernel<<<rows, kThreads, 0, at::cuda::getCurrentCUDAStream()>>>(
      x.data_ptr<float>(), lse.data_ptr<float>(), top.data_ptr<float>(), place.data_ptr<int64_t>(), cols);
  return {lse, top, place};
}
"""
extension = load_inline(
    name="extension",
    cpp_sources=cpp_source,
    cuda_sources=cuda_source,
    functions=["row_extremes"],
)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        return tuple(extension.row_extremes(x.contiguous()))
