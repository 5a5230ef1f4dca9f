"""A choice by a mask with bounds in one pass."""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>
#include <immintrin.h>
#include <omp.h>
static inline float* data(const tvm::ffi::TensorView& t) { return static_cast<float*>(t.data_ptr()); }

void masked_blend(tvm::ffi::TensorView mask, tvm::ffi::TensorView x, tvm::ffi::TensorView other,
                  tvm::ffi::TensorView out) {
  const uint8_t* __restrict__ keep = static_cast<const uint8_t*>(mask.data_ptr());
  const float *__restrict__ p = data(x), *__restrict__ q = data(other);
  float* __restrict__ to = data(out);
  const int64_t n = out.numel();
#pragma omp parallel for simd schedule(static) if (n > 20000)
  for (int64_t i = 0; i < n; ++i) {
    const float a = p[i], b = 0.5f * q[i], v = keep[i] ? a : b, low = v < -2.f ? -2.f : v;
    to[i] = low > 2.f ? 2.f : low;
  }
}
"""

library = load_inline(name="masked_blend", cpp_sources=SOURCE, functions=["masked_blend"])


class ModelNew(torch.nn.Module):
    def forward(self, mask, x, other):
        mask, x, other = mask.contiguous(), x.contiguous(), other.contiguous()
        out = torch.empty_like(x)
        library.masked_blend(mask, x, other, out)
        return out
