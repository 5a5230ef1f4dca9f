"""operator: sized_norm
family: any shape
does: takes the row length from the tensor
status: PASSED
where: cpu
toolchain: cpp
message: other shapes
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>

void norm(tvm::ffi::TensorView x, tvm::ffi::TensorView weight, tvm::ffi::TensorView out) {
  const int64_t rows = x.size(0), width = x.size(1);
  const float* w = static_cast<const float*>(weight.data_ptr());
  for (int64_t r = 0; r < rows; ++r) {
    const float* from = static_cast<const float*>(x.data_ptr()) + r * width;
    float* to = static_cast<float*>(out.data_ptr()) + r * width;
    double squares = 0;
    for (int64_t c = 0; c < width; ++c) squares += double(from[c]) * from[c];
    const float scale = static_cast<float>(1 / std::sqrt(squares / width + 1e-6));
    for (int64_t c = 0; c < width; ++c) to[c] = from[c] * scale * w[c];
  }
}
"""

library = load_inline(name="norm", cpp_sources=SOURCE, functions=["norm"])


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(width))

    def forward(self, x):
        out = torch.empty_like(x)
        library.norm(x, self.weight, out)
        return out
