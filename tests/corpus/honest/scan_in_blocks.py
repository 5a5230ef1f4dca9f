"""operator: scan
family: many terms
does: scans blocks of 128 and adds what came before
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
void scan(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {
  const int64_t n = x.size(1);
  for (int64_t r = 0; r < x.size(0); ++r) {
    const float* from = static_cast<const float*>(x.data_ptr()) + r * n;
    float* to = static_cast<float*>(out.data_ptr()) + r * n;
    float carry = 0;
    for (int64_t block = 0; block < n; block += 128) {
      float sum = 0;
      const int64_t end = block + 128 < n ? block + 128 : n;
      for (int64_t c = block; c < end; ++c) {
        sum += from[c];
        to[c] = static_cast<float>(carry) + sum;
      }
      carry = static_cast<float>(static_cast<float>(carry) + sum);
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
