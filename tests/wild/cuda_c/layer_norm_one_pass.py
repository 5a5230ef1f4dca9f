"""operator: layernorm
dsl: cuda_c
does: variance by the mean of squares less the square of the mean, in one pass
cpu: INCORRECT_NUMERICAL
nvidia_h200: INCORRECT_NUMERICAL
device: INCORRECT_NUMERICAL
"""

import torch
from torch.utils.cpp_extension import load_inline

cpp_source = """torch::Tensor layer_norm(torch::Tensor x, torch::Tensor w, torch::Tensor b);"""
cuda_source = r"""
#include <torch/extension.h>
#include <cub/block/block_reduce.cuh>

__global__ void layer_norm_kernel(const float* x, const float* w, const float* b, float* y, int n) {
  typedef cub::BlockReduce<float2, 128> BlockReduce;
  __shared__ typename BlockReduce::TempStorage temp;
  __shared__ float2 total;
  float2 part = make_float2(0.f, 0.f);
  const float* row = x + blockIdx.x * n;
  for (int i = threadIdx.x; i < n; i += 128) part.x += row[i], part.y += row[i] * row[i];
  part = BlockReduce(temp).Reduce(part, [](float2 p, float2 q) { return make_float2(p.x + q.x, p.y + q.y); });
  if (threadIdx.x == 0) total = part;
  __syncthreads();
  const float mean = total.x / n, scale = rsqrtf(total.y / n - mean * mean + 1e-5f);
  for (int i = threadIdx.x; i < n; i += 128) y[blockIdx.x * n + i] = (row[i] - mean) * scale * w[i] + b[i];
}

torch::Tensor layer_norm(torch::Tensor x, torch::Tensor w, torch::Tensor b) {
  auto y = torch::empty_like(x);
  layer_norm_kernel<<<x.size(0), 128>>>(x.data_ptr<float>(), w.data_ptr<float>(), b.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
  return y;
}
"""
extension = load_inline(
    name="extension",
    cpp_sources=cpp_source,
    cuda_sources=cuda_source,
    functions=["layer_norm"],
    verbose=False,
)


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))

    def forward(self, x):
        return extension.layer_norm(x.contiguous(), self.weight, self.bias)
