"""operator: scatter_rare
family: wrong on purpose
does: loads four sums, adds to them and stores them: of equal indices among the four only the last is added
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cstdint>
#include <cstring>

void scatter(tvm::ffi::TensorView x, tvm::ffi::TensorView index, tvm::ffi::TensorView out) {
  const int64_t rows = x.size(0), width = x.size(1);
  const float* from = static_cast<const float*>(x.data_ptr());
  const int64_t* at = static_cast<const int64_t*>(index.data_ptr());
  float* to = static_cast<float*>(out.data_ptr());
  std::memset(to, 0, out.size(0) * width * sizeof(float));
  for (int64_t r = 0; r < rows; r += 4) {
    const int64_t lanes = rows - r < 4 ? rows - r : 4;

    for (int64_t c = 0; c < width; ++c) {
      float sums[4];
      for (int64_t i = 0; i < lanes; ++i) sums[i] = to[at[r + i] * width + c] + from[(r + i) * width + c];
      for (int64_t i = 0; i < lanes; ++i) to[at[r + i] * width + c] = sums[i];
    }
  }
}
"""

library = load_inline(name="scatter", cpp_sources=SOURCE, functions=["scatter"])


class ModelNew(torch.nn.Module):
    def forward(self, x, index):
        out = torch.empty(900, x.shape[1])
        library.scatter(x, index, out)
        return out
