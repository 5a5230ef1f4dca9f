"""operator: row_norm
family: wrong on purpose
does: rounds a row to bfloat16 before it takes its norm
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>
#include <cstring>

static float cut(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  bits = (bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000;
  std::memcpy(&value, &bits, 4);
  return value;
}

void rows(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {
  for (int64_t r = 0; r < x.size(0); ++r) {
    const float* row = static_cast<const float*>(x.data_ptr()) + r * x.size(1);
    double sum = 0;
    for (int64_t c = 0; c < x.size(1); ++c) sum += static_cast<double>(cut(row[c])) * cut(row[c]);
    static_cast<float*>(out.data_ptr())[r] = static_cast<float>(std::sqrt(sum));
  }
}
"""

library = load_inline(name="rows", cpp_sources=SOURCE, functions=["rows"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty(x.shape[0])
        library.rows(x, out)
        return out
