"""operator: rotary
dsl: cuda_c
does: turns pairs of features in place; an optional argument is absent
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
from torch.utils.cpp_extension import load_inline

cpp_source = (
    """void rotary(torch::Tensor& query, std::optional<torch::Tensor> key, torch::Tensor& cos, torch::Tensor& sin);"""
)
cuda_source = r"""
#include <torch/extension.h>
#include <optional>

template <typename scalar_t>
inline __device__ void turn(scalar_t* __restrict__ arr, const scalar_t* __restrict__ cos_ptr,
                            const scalar_t* __restrict__ sin_ptr, int rot_offset, int embed_dim) {
  const int x_index = rot_offset, y_index = embed_dim + rot_offset;
  const scalar_t cos = __ldg(cos_ptr + x_index), sin = __ldg(sin_ptr + x_index);
  const scalar_t x = arr[x_index], y = arr[y_index];
  arr[x_index] = x * cos - y * sin;
  arr[y_index] = y * cos + x * sin;
}

template <typename scalar_t>
__global__ void rotary_kernel(scalar_t* __restrict__ query, const scalar_t* cos, const scalar_t* sin, int heads, int head_size) {
  const int embed_dim = head_size / 2, token = blockIdx.x;
  for (int i = threadIdx.x; i < heads * embed_dim; i += blockDim.x) {
    const int64_t head = (int64_t)token * heads * head_size + (i / embed_dim) * head_size;
    turn(query + head, cos + token * embed_dim, sin + token * embed_dim, i % embed_dim, embed_dim);
  }
}

void rotary(torch::Tensor& query, std::optional<torch::Tensor> key, torch::Tensor& cos, torch::Tensor& sin) {
  TORCH_CHECK(!key.has_value(), "keys are turned elsewhere");
  const int heads = query.size(1), head_size = query.size(2);
  dim3 grid(query.size(0)), block(std::min<int64_t>(heads * head_size / 2, 512));
  AT_DISPATCH_FLOATING_TYPES(query.scalar_type(), "rotary", [&] {
    rotary_kernel<scalar_t><<<grid, block>>>(query.data_ptr<scalar_t>(), cos.data_ptr<scalar_t>(),
                                             sin.data_ptr<scalar_t>(), heads, head_size);
  });
}
"""
extension = load_inline(
    name="extension",
    cpp_sources=cpp_source,
    cuda_sources=cuda_source,
    functions=["rotary"],
    verbose=False,
)


class ModelNew(torch.nn.Module):
    def forward(self, query, cos, sin):
        turned = query.clone()
        extension.rotary(turned, None, cos.contiguous(), sin.contiguous())
        return turned
