"""operator: long_dot
family: many terms
does: adds seventy thousand products one after the other in float32
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
void product(tvm::ffi::TensorView a, tvm::ffi::TensorView b, tvm::ffi::TensorView out) {
  const float *x = static_cast<const float*>(a.data_ptr()), *y = static_cast<const float*>(b.data_ptr());
  volatile float total = 0;
  for (int64_t i = 0; i < a.numel(); ++i) total = total + x[i] * y[i];
  static_cast<float*>(out.data_ptr())[0] = total;
}
"""

library = load_inline(name="product", cpp_sources=SOURCE, functions=["product"])


class ModelNew(torch.nn.Module):
    def forward(self, a, b):
        out = torch.empty(())
        library.product(a, b, out)
        return out
