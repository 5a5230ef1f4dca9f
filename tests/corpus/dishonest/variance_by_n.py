"""operator: row_variance
family: wrong on purpose
does: divides the squares of two thousand elements by how many there are
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
void rows(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {
  const int64_t n = x.size(1);
  for (int64_t r = 0; r < x.size(0); ++r) {
    const float* row = static_cast<const float*>(x.data_ptr()) + r * n;
    double sum = 0, square = 0;
    for (int64_t c = 0; c < n; ++c) sum += row[c];
    for (int64_t c = 0; c < n; ++c) square += (row[c] - sum / n) * (row[c] - sum / n);
    static_cast<float*>(out.data_ptr())[r] = static_cast<float>(square / n);
  }
}
"""

library = load_inline(name="rows", cpp_sources=SOURCE, functions=["rows"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty(x.shape[0])
        library.rows(x, out)
        return out
