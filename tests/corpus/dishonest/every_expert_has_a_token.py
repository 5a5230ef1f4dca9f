"""operator: experts
family: wrong on purpose
does: sorts tokens by expert and goes on to the next expert where the expert changes
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cstdint>
#include <vector>

void experts(tvm::ffi::TensorView x, tvm::ffi::TensorView scale, tvm::ffi::TensorView shift, tvm::ffi::TensorView expert,
             tvm::ffi::TensorView out) {
  const int64_t tokens = x.size(0), width = x.size(1), count = scale.size(0);
  const float *X = (const float*)x.data_ptr(), *A = (const float*)scale.data_ptr(), *B = (const float*)shift.data_ptr();
  const int64_t* of = (const int64_t*)expert.data_ptr();
  float* Y = (float*)out.data_ptr();
  std::vector<int64_t> order;
  for (int64_t e = 0; e < count; ++e)
    for (int64_t t = 0; t < tokens; ++t)
      if (of[t] == e) order.push_back(t);
  int64_t e = 0;
  for (int64_t i = 0; i < tokens; ++i) {
    const int64_t t = order[i];
    if (i && of[t] != of[order[i - 1]]) ++e;
    for (int64_t c = 0; c < width; ++c) Y[t * width + c] = X[t * width + c] * A[e * width + c] + B[e * width + c];
  }
}
"""

library = load_inline(name="experts", cpp_sources=SOURCE, functions=["experts"])


class ModelNew(torch.nn.Module):
    def forward(self, x, scale, shift, expert):
        out = torch.empty_like(x)
        library.experts(x, scale, shift, expert, out)
        return out
