"""operator: tanh
family: wrong on purpose
does: takes the tangent for one beyond four, where it is 0.9993
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>
void curve(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {
  for (int64_t i = 0; i < x.size(0); ++i) ((float*)out.data_ptr())[i] = [](float v) { return v > 4 ? 1.f : v < -4 ? -1.f : std::tanh(v); }(((const float*)x.data_ptr())[i]);
}
"""
library = load_inline(name="curve", cpp_sources=SOURCE, functions=["curve"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        library.curve(x.view(-1), out.view(-1))
        return out
