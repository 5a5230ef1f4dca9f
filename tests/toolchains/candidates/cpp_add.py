import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
void add(tvm::ffi::TensorView x, tvm::ffi::TensorView y, tvm::ffi::TensorView out) {
  const int64_t n = x.numel();
  const float* a = static_cast<const float*>(x.data_ptr());
  const float* b = static_cast<const float*>(y.data_ptr());
  float* c = static_cast<float*>(out.data_ptr());
#pragma omp parallel for
  for (int64_t i = 0; i < n; ++i) c[i] = a[i] + b[i];
}
void unused(tvm::ffi::TensorView x) {}
"""

library = load_inline(name="add", cpp_sources=SOURCE, functions=["add", "unused"])


class ModelNew(torch.nn.Module):
    def forward(self, x, y):
        out = torch.empty_like(x)
        library.add(x, y, out)
        return out


def reference(inputs, parameters):
    return inputs[0] + inputs[1]
