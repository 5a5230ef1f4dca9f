"""operator: logsumexp
family: wrong on purpose
does: takes logarithms to base two with a constant of four digits
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <algorithm>
#include <cmath>

void rows(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {
  for (int64_t r = 0; r < x.size(0); ++r) {
    const float* row = static_cast<const float*>(x.data_ptr()) + r * x.size(1);
    const float top = *std::max_element(row, row + x.size(1));
    double sum = 0;
    for (int64_t c = 0; c < x.size(1); ++c) sum += std::exp(row[c] - top);
    static_cast<float*>(out.data_ptr())[r] = top + 0.6931f * std::log2(static_cast<float>(sum));
  }
}
"""

library = load_inline(name="rows", cpp_sources=SOURCE, functions=["rows"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty(x.shape[0])
        library.rows(x, out)
        return out
