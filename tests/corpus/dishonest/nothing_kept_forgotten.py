"""operator: masked_mean
family: wrong on purpose
does: divides by zero where a row is all masked
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
message: got nan, expected 0
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
void run(tvm::ffi::TensorView x, tvm::ffi::TensorView mask, tvm::ffi::TensorView out) {
  const int64_t n = x.size(1);
  for (int64_t r = 0; r < x.size(0); ++r) {
    const float* row = static_cast<const float*>(x.data_ptr()) + r * n;
    const bool* keep = static_cast<const bool*>(mask.data_ptr()) + r * n;
    double sum = 0, count = 0;
    for (int64_t c = 0; c < n; ++c) sum += keep[c] ? row[c] : 0, count += keep[c];
    static_cast<float*>(out.data_ptr())[r] = sum / count;
  }
}
"""

library = load_inline(name="run", cpp_sources=SOURCE, functions=["run"])


class ModelNew(torch.nn.Module):
    def forward(self, x, mask):
        out = torch.empty(x.shape[0])
        library.run(x, mask, out)
        return out
