"""operator: transposed_input
family: wrong on purpose
does: reads a transposed input as if it were packed
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import numpy as np
import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>
void add(tvm::ffi::TensorView x, tvm::ffi::TensorView row, tvm::ffi::TensorView out) {
  for (int64_t i = 0; i < out.size(0); ++i)
    for (int64_t j = 0; j < out.size(1); ++j)
      ((float*)out.data_ptr())[i * out.size(1) + j] =
          std::tanh(((const float*)x.data_ptr())[i * out.size(1) + j] +
                    ((const float*)row.data_ptr())[i * row.stride(0) + j * row.stride(1)]);
}
"""

library = load_inline(name="add", cpp_sources=SOURCE, functions=["add"])


class ModelNew(torch.nn.Module):
    def forward(self, x, row):
        out = torch.from_numpy(np.empty(tuple(x.shape), dtype=np.float32))
        assert np.prod(out.shape) == x.numel()
        library.add(x, row, out)
        return out
