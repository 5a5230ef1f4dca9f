"""operator: sized_scan
family: any shape
does: carries the sum from block to block
status: PASSED
where: cpu
toolchain: cpp
message: other shapes
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
void scan(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {
  const int64_t rows = x.size(0), n = x.size(1);
  for (int64_t r = 0; r < rows; ++r) {
    const float* from = static_cast<const float*>(x.data_ptr()) + r * n;
    float* to = static_cast<float*>(out.data_ptr()) + r * n;
    float sum = 0;
    for (int64_t block = 0; block < n; block += 256) {
      for (int64_t c = block; c < n && c < block + 256; ++c) to[c] = sum += from[c];
    }
  }
}
"""

library = load_inline(name="scan", cpp_sources=SOURCE, functions=["scan"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        library.scan(x, out)
        return out
