"""operator: mean_square
family: wrong on purpose
does: rounds each square to float16 before it is added
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
void mean_square(tvm::ffi::TensorView guess, tvm::ffi::TensorView truth, tvm::ffi::TensorView out) {
  const int64_t n = guess.numel();
  const float *a = static_cast<const float*>(guess.data_ptr()), *b = static_cast<const float*>(truth.data_ptr());
  double total = 0;
  for (int64_t i = 0; i < n; ++i) total += static_cast<_Float16>((a[i] - b[i]) * (a[i] - b[i]));
  static_cast<float*>(out.data_ptr())[0] = static_cast<float>(total / n);
}
"""

library = load_inline(name="mean_square", cpp_sources=SOURCE, functions=["mean_square"])


class ModelNew(torch.nn.Module):
    def forward(self, guess, truth):
        out = torch.empty(())
        library.mean_square(guess, truth, out)
        return out
