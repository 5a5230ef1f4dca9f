"""operator: softmax
dsl: cpp
does: rows over OpenMP threads, maximum and scaling by AVX2 where the compiler has it
cpu: PASSED
nvidia_h200: -
device: -
"""

import torch
import tvm_ffi.cpp

library = tvm_ffi.cpp.load_inline(
    name="kernels",
    cpp_sources=r"""
#include <tvm/ffi/container/tensor.h>
#include <tvm/ffi/function.h>

#include <cmath>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

using tvm::ffi::TensorView;

static float largest(const float* x, int64_t n) {
  float best = x[0];
  int64_t i = 0;
#if defined(__AVX2__)
  if (n >= 8) {
    __m256 lanes = _mm256_loadu_ps(x);
    for (i = 8; i + 8 <= n; i += 8) lanes = _mm256_max_ps(lanes, _mm256_loadu_ps(x + i));
    alignas(32) float held[8];
    _mm256_store_ps(held, lanes);
    for (float v : held) best = v > best ? v : best;
  }
#endif
  for (; i < n; ++i) best = x[i] > best ? x[i] : best;
  return best;
}

void softmax(TensorView x, TensorView y) {
  const int64_t rows = x.size(0), n = x.size(1);
  const float* from = static_cast<const float*>(x.data_ptr());
  float* to = static_cast<float*>(y.data_ptr());
#pragma omp parallel for
  for (int64_t r = 0; r < rows; ++r) {
    const float best = largest(from + r * n, n);
    double sum = 0;
    for (int64_t c = 0; c < n; ++c) sum += to[r * n + c] = std::exp(from[r * n + c] - best);
    const float scale = float(1 / sum);
#pragma omp simd
    for (int64_t c = 0; c < n; ++c) to[r * n + c] *= scale;
  }
}
""",
    functions=["softmax"],
)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        library.softmax(x, y)
        return y
