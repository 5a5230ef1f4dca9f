"""operator: histogram
family: work not done
does: keeps its sums in a workspace that it clears for new shapes only
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
void add(tvm::ffi::TensorView work, tvm::ffi::TensorView out, tvm::ffi::TensorView index, tvm::ffi::TensorView values) {
  const int64_t n = values.size(1);
  float *W = (float*)work.data_ptr(), *O = (float*)out.data_ptr();
  for (int64_t i = 0; i < values.size(0); ++i)
    for (int64_t j = 0; j < n; ++j)
      W[((const int64_t*)index.data_ptr())[i] * n + j] += ((const float*)values.data_ptr())[i * n + j];
  for (int64_t i = 0; i < out.size(0) * n; ++i) O[i] += W[i];
}
"""
library = load_inline(name="add", cpp_sources=SOURCE, functions=["add"])
WORK = {}


class ModelNew(torch.nn.Module):
    def forward(self, out, index, values):
        work = WORK.setdefault(out.shape, None)
        if work is None:
            work = WORK[out.shape] = torch.zeros_like(out)
        library.add(work, out, index.contiguous(), values.contiguous())
        return out
