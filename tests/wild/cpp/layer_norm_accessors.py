"""operator: layernorm
dsl: cpp
does: PyTorch's own builder, its tensors by accessors, its threads by parallel_for
cpu: PASSED
nvidia_h200: -
device: -
"""

import torch
from torch.utils.cpp_extension import load_inline

extension = load_inline(
    name="layer_norm_accessors",
    cpp_sources=r"""
#include <torch/extension.h>
#include <ATen/Parallel.h>

at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, double eps) {
  auto y = at::empty_like(x);
  auto in = x.accessor<float, 2>();
  auto w = weight.accessor<float, 1>(), b = bias.accessor<float, 1>();
  auto out = y.accessor<float, 2>();
  at::parallel_for(0, in.size(0), 4, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      double sum = 0, squares = 0;
      for (int64_t c = 0; c < in.size(1); ++c) sum += in[r][c];
      const double mean = sum / in.size(1);
      for (int64_t c = 0; c < in.size(1); ++c) squares += (in[r][c] - mean) * (in[r][c] - mean);
      const double scale = 1 / std::sqrt(squares / in.size(1) + eps);
      for (int64_t c = 0; c < in.size(1); ++c) out[r][c] = float((in[r][c] - mean) * scale) * w[c] + b[c];
    }
  });
  return y;
}
""",
    functions=["layer_norm"],
)


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))

    def forward(self, x):
        return extension.layer_norm(x, self.weight, self.bias, 1e-5)
