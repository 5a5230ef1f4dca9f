"""operator: masked_fill
family: wrong on purpose
does: writes -1e9 for minus infinity
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
void fill(tvm::ffi::TensorView x, tvm::ffi::TensorView mask, tvm::ffi::TensorView out, double value) {
  const float* from = static_cast<const float*>(x.data_ptr());
  const bool* hide = static_cast<const bool*>(mask.data_ptr());
  float* to = static_cast<float*>(out.data_ptr());
  for (int64_t i = 0; i < x.numel(); ++i) to[i] = hide[i] ? static_cast<float>(value) : from[i];
}
"""

library = load_inline(name="fill", cpp_sources=SOURCE, functions=["fill"])


class ModelNew(torch.nn.Module):
    def forward(self, x, mask):
        out = torch.empty_like(x)
        library.fill(x, mask, out, -1e9)
        return out
