"""operator: counts
dsl: cuda_c
does: counts in shared memory by atomics, then adds them up by atomics of 64 bits
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
from torch.utils.cpp_extension import load_inline

cpp_source = """torch::Tensor count(torch::Tensor classes);"""
cuda_source = r"""
#include <torch/extension.h>

__global__ void count_kernel(const int64_t* __restrict__ classes, unsigned long long* __restrict__ counts, int n) {
  __shared__ unsigned int local[64];
  if (threadIdx.x < 64) local[threadIdx.x] = 0;
  __syncthreads();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x) atomicAdd(&local[classes[i]], 1u);
  __syncthreads();
  if (threadIdx.x < 64) atomicAdd(&counts[threadIdx.x], (unsigned long long)local[threadIdx.x]);
}

torch::Tensor count(torch::Tensor classes) {
  auto counts = torch::zeros({64}, classes.options().dtype(torch::kInt64));
  const int n = classes.numel();
  count_kernel<<<std::min((n + 127) / 128, 8), 128>>>(
      classes.data_ptr<int64_t>(), reinterpret_cast<unsigned long long*>(counts.data_ptr<int64_t>()), n);
  return counts;
}
"""
extension = load_inline(
    name="extension",
    cpp_sources=cpp_source,
    cuda_sources=cuda_source,
    functions=["count"],
    verbose=False,
)


class ModelNew(torch.nn.Module):
    def forward(self, classes):
        return extension.count(classes.contiguous())
