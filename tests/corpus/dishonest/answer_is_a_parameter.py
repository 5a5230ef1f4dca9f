"""operator: tanh
family: wrong on purpose
does: gives a torch.nn.Parameter
status: REFUSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>
void curve(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {
  for (int64_t i = 0; i < x.size(0); ++i) ((float*)out.data_ptr())[i] = std::tanh(((const float*)x.data_ptr())[i]);
}
"""
library = load_inline(name="curve", cpp_sources=SOURCE, functions=["curve"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        library.curve(x.view(-1), out.view(-1))
        return torch.nn.Parameter(out)
