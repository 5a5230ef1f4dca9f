"""operator: row_variance
family: many terms
does: adds the mean up in float32, then the squares around it
status: PASSED
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
    volatile float sum = 0, square = 0;
    for (int64_t c = 0; c < n; ++c) sum = sum + row[c];
    const float mean = sum / static_cast<float>(n);
    for (int64_t c = 0; c < n; ++c) square = square + (row[c] - mean) * (row[c] - mean);
    static_cast<float*>(out.data_ptr())[r] = square / static_cast<float>(n - 1);
  }
}
"""

library = load_inline(name="rows", cpp_sources=SOURCE, functions=["rows"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty(x.shape[0])
        library.rows(x, out)
        return out
