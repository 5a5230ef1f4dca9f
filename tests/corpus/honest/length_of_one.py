"""operator: ragged_deviation
family: plain
does: divides by one where a row is of length one
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
void run(tvm::ffi::TensorView x, tvm::ffi::TensorView length, tvm::ffi::TensorView out) {
  for (int64_t r = 0; r < x.size(0); ++r) {
    const float* row = static_cast<const float*>(x.data_ptr()) + r * x.size(1);
    const int64_t n = static_cast<const int64_t*>(length.data_ptr())[r];
    double mean = 0, squares = 0;
    for (int64_t c = 0; c < n; ++c) mean += row[c];
    mean /= n;
    for (int64_t c = 0; c < n; ++c) squares += (row[c] - mean) * (row[c] - mean);
    static_cast<float*>(out.data_ptr())[r] = squares / (n > 1 ? n - 1 : 1);
  }
}
"""

library = load_inline(name="run", cpp_sources=SOURCE, functions=["run"])


class ModelNew(torch.nn.Module):
    def forward(self, x, length):
        out = torch.empty(x.shape[0])
        library.run(x, length, out)
        return out
