"""operator: at_least
family: wrong on purpose
does: compares with > where the operator compares with >=
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
void above(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {
  const float* from = static_cast<const float*>(x.data_ptr());
  bool* to = static_cast<bool*>(out.data_ptr());
  for (int64_t i = 0; i < x.numel(); ++i) to[i] = from[i] > 0.5f;
}
"""

library = load_inline(name="above", cpp_sources=SOURCE, functions=["above"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty(x.shape, dtype=torch.bool)
        library.above(x, out)
        return out
