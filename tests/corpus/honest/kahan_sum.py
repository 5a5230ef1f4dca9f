"""operator: rowsum
family: unusual accumulation
does: sums in float32 with Kahan's compensation
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
void rowsum(tvm::ffi::TensorView x, tvm::ffi::TensorView out, int64_t columns) {
  const int64_t rows = x.size(0), stride = x.size(1);
  for (int64_t r = 0; r < rows; ++r) {
    const float* from = static_cast<const float*>(x.data_ptr()) + r * stride;
    float total = 0, lost = 0;
    for (int64_t c = 0; c < columns; ++c) {
      const float term = from[c] - lost, next = total + term;
      lost = (next - total) - term;
      total = next;
    }
    static_cast<float*>(out.data_ptr())[r] = static_cast<float>(total);
  }
}
"""

library = load_inline(name="rowsum", cpp_sources=SOURCE, functions=["rowsum"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty(x.shape[0])
        library.rowsum(x, out, x.shape[1])
        return out
