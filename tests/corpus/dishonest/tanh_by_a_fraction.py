"""operator: tanh
family: wrong on purpose
does: uses a rational approximation that is off by a few millionths
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>
void curve(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {
  for (int64_t i = 0; i < x.size(0); ++i) ((float*)out.data_ptr())[i] = [](float v) { v = std::fmax(-4.97f, std::fmin(4.97f, v)); float s = v * v; return v * (135135 + s * (17325 + s * (378 + s))) / (135135 + s * (62370 + s * (3150 + 28 * s))); }(((const float*)x.data_ptr())[i]);
}
"""
library = load_inline(name="curve", cpp_sources=SOURCE, functions=["curve"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        library.curve(x.view(-1), out.view(-1))
        return out
