"""operator: scan
dsl: cuda_c
does: doubling steps in one buffer, so that threads read what others have already changed
cpu: RUNTIME_ERROR
nvidia_h200: RUNTIME_ERROR
device: PASSED INCORRECT_NUMERICAL
message: threads race
"""

import torch
from torch.utils.cpp_extension import load_inline

cpp_source = """torch::Tensor cumsum(torch::Tensor x);"""
cuda_source = r"""
#include <torch/extension.h>

__global__ void cumsum_kernel(const float* x, float* y, int n) {
  __shared__ float buffer[256];
  float carry = 0.f;
  for (int base = 0; base < n; base += 256) {
    const int i = base + threadIdx.x;
    float* from = buffer;
    float* to = buffer + 0;
    from[threadIdx.x] = i < n ? x[(size_t)blockIdx.x * n + i] : 0.f;
    __syncthreads();
    for (int offset = 1; offset < 256; offset *= 2) {
      const float mine = from[threadIdx.x];
      to[threadIdx.x] = threadIdx.x >= offset ? mine + from[threadIdx.x - offset] : mine;
      __syncthreads();
      float* t = from;
      from = to;
      to = t;
    }
    if (i < n) y[(size_t)blockIdx.x * n + i] = carry + from[threadIdx.x];
    carry += from[255];
    __syncthreads();
  }
}

torch::Tensor cumsum(torch::Tensor x) {
  auto y = torch::empty_like(x);
  cumsum_kernel<<<x.size(0), 256>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
  return y;
}
"""
extension = load_inline(
    name="extension",
    cpp_sources=cpp_source,
    cuda_sources=cuda_source,
    functions=["cumsum"],
    verbose=False,
)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        return extension.cumsum(x.contiguous())
