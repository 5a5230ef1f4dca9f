"""operator: transposed_input
family: scratch and layout
does: reads its inputs through their strides, which may be none, and gives memory that numpy allocated
status: PASSED
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
          std::tanh(((const float*)x.data_ptr())[i * x.stride(0) + j * x.stride(1)] +
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
