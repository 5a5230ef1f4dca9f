"""operator: long_dot
family: many terms
does: adds up in sixteen lanes, as vector units do, and the lanes in a tree
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
void product(tvm::ffi::TensorView a, tvm::ffi::TensorView b, tvm::ffi::TensorView out) {
  const float *x = static_cast<const float*>(a.data_ptr()), *y = static_cast<const float*>(b.data_ptr());
  float lanes[16] = {};
  for (int64_t i = 0; i < a.numel(); ++i) lanes[i % 16] += x[i] * y[i];
  for (int width = 8; width; width /= 2)
    for (int lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
  static_cast<float*>(out.data_ptr())[0] = lanes[0];
}
"""

library = load_inline(name="product", cpp_sources=SOURCE, functions=["product"])


class ModelNew(torch.nn.Module):
    def forward(self, a, b):
        out = torch.empty(())
        library.product(a, b, out)
        return out
