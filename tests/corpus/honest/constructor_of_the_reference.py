"""operator: basis_change
family: worker threads
does: computes its basis in the constructor with torch, as the operator does
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
void product(tvm::ffi::TensorView x, tvm::ffi::TensorView basis, tvm::ffi::TensorView out) {
  const int64_t rows = x.size(0), inner = x.size(1), columns = basis.size(1);
  const float *a = static_cast<const float*>(x.data_ptr()), *b = static_cast<const float*>(basis.data_ptr());
  float* to = static_cast<float*>(out.data_ptr());
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      double sum = 0;
      for (int64_t k = 0; k < inner; ++k) sum += static_cast<double>(a[r * inner + k]) * b[k * columns + c];
      to[r * columns + c] = static_cast<float>(sum);
    }
  }
}
"""

library = load_inline(name="product", cpp_sources=SOURCE, functions=["product"])


class ModelNew(torch.nn.Module):
    def __init__(self, size):
        super().__init__()
        powers = torch.vander(torch.linspace(-1, 1, size, dtype=torch.float64), size)
        self.register_buffer("basis", torch.linalg.inv(powers).float())

    def forward(self, x):
        out = torch.empty_like(x)
        library.product(x, self.basis.contiguous(), out)
        return out
