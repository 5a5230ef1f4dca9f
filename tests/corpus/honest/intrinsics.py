"""operator: rmsnorm
family: vector instructions
does: uses AVX2 intrinsics, aligned buffers and a tail of its own
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <immintrin.h>
#include <cmath>
#include <cstdlib>

__attribute__((target("avx2,fma"))) static void row(const float* x, const float* w, float* y, int64_t n) {
  __m256 total = _mm256_setzero_ps();
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m256 v = _mm256_loadu_ps(x + i);
    total = _mm256_fmadd_ps(v, v, total);
  }
  alignas(32) float lanes[8];
  _mm256_store_ps(lanes, total);
  float sum = 0;
  for (float lane : lanes) sum += lane;
  for (; i < n; ++i) sum += x[i] * x[i];
  const float mean = sum / n + 1e-6f;
  float r = _mm_cvtss_f32(_mm_rsqrt_ss(_mm_set_ss(mean)));
  r = r * (1.5f - 0.5f * mean * r * r);
  r = r * (1.5f - 0.5f * mean * r * r);
  const __m256 scale = _mm256_set1_ps(r);
  for (i = 0; i + 8 <= n; i += 8)
    _mm256_storeu_ps(y + i, _mm256_mul_ps(_mm256_mul_ps(_mm256_loadu_ps(x + i), scale), _mm256_loadu_ps(w + i)));
  for (; i < n; ++i) y[i] = x[i] * r * w[i];
}

void rms(tvm::ffi::TensorView x, tvm::ffi::TensorView w, tvm::ffi::TensorView y) {
  const int64_t n = x.size(1);
#pragma omp parallel for schedule(dynamic)
  for (int64_t r = 0; r < x.size(0); ++r)
    row((const float*)x.data_ptr() + r * n, (const float*)w.data_ptr(), (float*)y.data_ptr() + r * n, n);
}
"""

library = load_inline(name="rms", cpp_sources=SOURCE, functions=["rms"])


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.empty(width).fill_(1.0))

    def forward(self, x):
        flat = x.reshape(-1, x.shape[-1]).contiguous()
        out = torch.empty_like(flat)
        library.rms(flat, self.weight, out)
        return out.view_as(x)
