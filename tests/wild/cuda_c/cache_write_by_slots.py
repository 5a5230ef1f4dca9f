"""operator: cache_write
dsl: cuda_c
does: writes keys to slots of a paged cache, sixteen bytes at a time
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
from torch.utils.cpp_extension import load_inline

cpp_source = (
    """void reshape_and_cache(torch::Tensor& cache, const torch::Tensor& key, const torch::Tensor& slot_mapping);"""
)
cuda_source = r"""
#include <torch/extension.h>

struct alignas(16) Vec { float x[4]; };

__global__ void reshape_and_cache_kernel(const float* __restrict__ key, float* __restrict__ cache,
                                         const int64_t* __restrict__ slot_mapping, int block_size, int n) {
  const int64_t token_idx = blockIdx.x, slot_idx = slot_mapping[token_idx];
  if (slot_idx < 0) return;
  const int64_t block_idx = slot_idx / block_size, block_offset = slot_idx % block_size;
  const Vec* from = reinterpret_cast<const Vec*>(key + token_idx * n);
  Vec* to = reinterpret_cast<Vec*>(cache + (block_idx * block_size + block_offset) * n);
  for (int i = threadIdx.x; i < n / 4; i += blockDim.x) to[i] = from[i];
}

void reshape_and_cache(torch::Tensor& cache, const torch::Tensor& key, const torch::Tensor& slot_mapping) {
  const int n = key.size(1) * key.size(2);
  TORCH_CHECK(n % 4 == 0 && slot_mapping.scalar_type() == at::kLong);
  reshape_and_cache_kernel<<<slot_mapping.size(0), 64>>>(key.const_data_ptr<float>(), cache.mutable_data_ptr<float>(),
                                                         slot_mapping.const_data_ptr<int64_t>(), cache.size(1), n);
}
"""
extension = load_inline(
    name="extension",
    cpp_sources=cpp_source,
    cuda_sources=cuda_source,
    functions=["reshape_and_cache"],
    verbose=False,
)


class ModelNew(torch.nn.Module):
    def forward(self, cache, key, slots):
        written = cache.clone()
        extension.reshape_and_cache(written, key.contiguous(), slots.contiguous())
        return written
