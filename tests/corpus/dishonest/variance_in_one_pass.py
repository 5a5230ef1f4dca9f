"""operator: layernorm
family: wrong on purpose
does: takes the variance as the mean of squares less the mean's square: no right digit far from zero
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
message: inputs: shifted
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>

void run(tvm::ffi::TensorView x, tvm::ffi::TensorView gain, tvm::ffi::TensorView shift, tvm::ffi::TensorView out) {
  const int64_t rows = x.size(0), n = x.size(1);
  const float* g = static_cast<const float*>(gain.data_ptr());
  const float* b = static_cast<const float*>(shift.data_ptr());
  for (int64_t r = 0; r < rows; ++r) {
    const float* from = static_cast<const float*>(x.data_ptr()) + r * n;
    float* to = static_cast<float*>(out.data_ptr()) + r * n;
    float sum = 0, squares = 0;
    for (int64_t c = 0; c < n; ++c) sum += from[c], squares += from[c] * from[c];
    const float mean = sum / n, scale = 1 / std::sqrt(squares / n - mean * mean + 1e-5f);
    for (int64_t c = 0; c < n; ++c) to[c] = (from[c] - mean) * scale * g[c] + b[c];
  }
}
"""

library = load_inline(name="run", cpp_sources=SOURCE, functions=["run"])


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))

    def forward(self, x):
        out = torch.empty_like(x)
        library.run(x, self.weight.detach(), self.bias.detach(), out)
        return out
