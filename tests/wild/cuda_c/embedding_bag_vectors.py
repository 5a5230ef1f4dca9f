"""operator: embedding
dsl: cuda_c
does: a block a bag: rows of a table by index, summed and scaled
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
from torch.utils.cpp_extension import load_inline

cpp_source = """torch::Tensor bag(torch::Tensor index, torch::Tensor table, double scale);"""
cuda_source = r"""
#include <torch/extension.h>

template <typename scalar_t, typename index_t>
__global__ void bag_kernel(const index_t* __restrict__ index, const scalar_t* __restrict__ table, scalar_t* __restrict__ out,
                           int per_bag, int width, float scale) {
  for (int c = threadIdx.x; c < width; c += blockDim.x) {
    float sum = 0.f;
    for (int i = 0; i < per_bag; ++i) sum += (float)table[index[blockIdx.x * per_bag + i] * width + c];
    out[blockIdx.x * width + c] = (scalar_t)(sum * scale);
  }
}

torch::Tensor bag(torch::Tensor index, torch::Tensor table, double scale) {
  auto out = torch::empty({index.size(0), table.size(1)}, table.options());
  AT_DISPATCH_FLOATING_TYPES_AND_HALF(table.scalar_type(), "bag", [&] {
    AT_DISPATCH_INDEX_TYPES(index.scalar_type(), "bag_index", [&] {
      bag_kernel<scalar_t, index_t><<<index.size(0), 64>>>(index.data_ptr<index_t>(), table.data_ptr<scalar_t>(),
                                                           out.data_ptr<scalar_t>(), index.size(1), table.size(1), scale);
    });
  });
  return out;
}
"""
extension = load_inline(
    name="extension",
    cpp_sources=cpp_source,
    cuda_sources=cuda_source,
    functions=["bag"],
    verbose=False,
)


class ModelNew(torch.nn.Module):
    def __init__(self, words, width):
        super().__init__()
        self.table = torch.nn.Embedding(words, width)

    def forward(self, index, scale=0.5):
        return extension.bag(index.contiguous(), self.table.weight, scale)
