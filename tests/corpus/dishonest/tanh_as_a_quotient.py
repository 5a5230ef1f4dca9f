"""operator: tanh
family: wrong on purpose
does: divides infinity by infinity where the exponential overflows
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
message: NaN
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>

void run(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {
  const float* from = static_cast<const float*>(x.data_ptr());
  float* to = static_cast<float*>(out.data_ptr());
  for (int64_t i = 0; i < x.numel(); ++i) {
    const float e = std::exp(2 * from[i]);
    to[i] = (e - 1) / (e + 1);
  }
}
"""

library = load_inline(name="run", cpp_sources=SOURCE, functions=["run"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        library.run(x, out)
        return out
