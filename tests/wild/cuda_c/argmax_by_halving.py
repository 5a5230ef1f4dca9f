"""operator: argmax
dsl: cuda_c
does: values and their places halved in shared memory, the first of equals kept; a flag by an atomic exchange
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
from torch.utils.cpp_extension import load_inline

cpp_source = """std::vector<torch::Tensor> argmax(torch::Tensor x);"""
cuda_source = r"""
#include <torch/extension.h>
#include <limits>

__global__ void argmax_kernel(const float* x, int64_t* where, int* finite, int n) {
  __shared__ float values[128];
  __shared__ int places[128];
  float best = -std::numeric_limits<float>::infinity();
  int at = threadIdx.x < n ? threadIdx.x : 0;
  for (int c = threadIdx.x; c < n; c += 128) {
    const float v = x[(size_t)blockIdx.x * n + c];
    if (!isfinite(v)) atomicExch(finite, 0);
    if (v > best || (v != v && best == best)) best = v, at = c;
  }
  values[threadIdx.x] = best, places[threadIdx.x] = at;
  __syncthreads();
  for (int half = 64; half > 0; half >>= 1) {
    if (threadIdx.x < half) {
      const float other = values[threadIdx.x + half], mine = values[threadIdx.x];
      const int place = places[threadIdx.x + half];
      const bool better = other > mine || (other != other && mine == mine);
      const bool equal = other == mine || (other != other && mine != mine);
      if (better || (equal && place < places[threadIdx.x])) values[threadIdx.x] = other, places[threadIdx.x] = place;
    }
    __syncthreads();
  }
  if (threadIdx.x == 0) where[blockIdx.x] = places[0];
}

std::vector<torch::Tensor> argmax(torch::Tensor x) {
  auto where = torch::empty({x.size(0)}, x.options().dtype(torch::kLong));
  auto finite = torch::ones({1}, x.options().dtype(torch::kInt));
  argmax_kernel<<<x.size(0), 128>>>(x.data_ptr<float>(), where.data_ptr<int64_t>(), finite.data_ptr<int>(), x.size(1));
  return {where, finite.to(torch::kBool).squeeze(0)};
}
"""
extension = load_inline(
    name="extension",
    cpp_sources=cpp_source,
    cuda_sources=cuda_source,
    functions=["argmax"],
    verbose=False,
)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        where, finite = extension.argmax(x.contiguous())
        return where, finite
