"""operator: add_inplace
family: wrong on purpose
does: gives the sum and leaves the input that had to change as it was
status: INCORRECT_NUMERICAL REFUSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
void add(tvm::ffi::TensorView x, tvm::ffi::TensorView y, tvm::ffi::TensorView out) {
  const float* a = static_cast<const float*>(x.data_ptr());
  const float* b = static_cast<const float*>(y.data_ptr());
  float* c = static_cast<float*>(out.data_ptr());
  for (int64_t i = 0; i < x.numel(); ++i) c[i] = a[i] + b[i];
}
"""

library = load_inline(name="add", cpp_sources=SOURCE, functions=["add"])


class ModelNew(torch.nn.Module):
    def forward(self, x, y):
        out = torch.empty_like(x)
        library.add(x, y, out)
        return out
