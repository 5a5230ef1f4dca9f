"""operator: mean_square
family: many terms
does: carries what each addition in float32 loses to the next one
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
void mean_square(tvm::ffi::TensorView guess, tvm::ffi::TensorView truth, tvm::ffi::TensorView out) {
  const int64_t n = guess.numel();
  const float *a = static_cast<const float*>(guess.data_ptr()), *b = static_cast<const float*>(truth.data_ptr());
  volatile float total = 0, lost = 0;
  for (int64_t i = 0; i < n; ++i) {
    const volatile float term = (a[i] - b[i]) * (a[i] - b[i]) - lost;
    const volatile float sum = total + term;
    lost = (sum - total) - term;
    total = sum;
  }
  static_cast<float*>(out.data_ptr())[0] = total / static_cast<float>(n);
}
"""

library = load_inline(name="mean_square", cpp_sources=SOURCE, functions=["mean_square"])


class ModelNew(torch.nn.Module):
    def forward(self, guess, truth):
        out = torch.empty(())
        library.mean_square(guess, truth, out)
        return out
