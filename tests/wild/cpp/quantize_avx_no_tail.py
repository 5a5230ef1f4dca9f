"""operator: quantize
dsl: cpp
does: looks for the largest magnitude among whole vectors only: the tail of a row is not asked
cpu: INCORRECT_NUMERICAL
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

#include <algorithm>
#include <cmath>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

using tvm::ffi::TensorView;

static float largest(const float* x, int64_t n) {
  float best = 0;
  int64_t i = 0;
#if defined(__AVX2__)
  const __m256 sign = _mm256_set1_ps(-0.0f);
  __m256 lanes = _mm256_setzero_ps();
  for (; i + 8 <= n; i += 8) lanes = _mm256_max_ps(lanes, _mm256_andnot_ps(sign, _mm256_loadu_ps(x + i)));
  __m128 half = _mm_max_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps(lanes, 1));
  half = _mm_max_ps(half, _mm_movehl_ps(half, half));
  half = _mm_max_ss(half, _mm_shuffle_ps(half, half, 1));
  best = _mm_cvtss_f32(half);
#endif
  if (i == 0) for (; i < n; ++i) best = std::max(best, std::fabs(x[i]));
  return best;
}

static void round_row(const float* x, int8_t* q, int64_t n, float scale) {
  int64_t i = 0;
#if defined(__AVX2__)
  const __m256 by = _mm256_set1_ps(scale);
  for (; i + 8 <= n; i += 8) {
    const __m256i wide = _mm256_cvtps_epi32(_mm256_div_ps(_mm256_loadu_ps(x + i), by));
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(q + i), _mm_packs_epi16(words, words));
  }
#endif
  for (; i < n; ++i) q[i] = static_cast<int8_t>(std::clamp(std::nearbyint(x[i] / scale), -128.f, 127.f));
}

void quantize(TensorView x, TensorView q, TensorView s) {
  const int64_t rows = x.size(0), n = x.size(1);
  const float* from = static_cast<const float*>(x.data_ptr());
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < rows; ++r) {
    const float scale = std::max(largest(from + r * n, n), 1e-8f) / 127;
    static_cast<float*>(s.data_ptr())[r] = scale;
    round_row(from + r * n, static_cast<int8_t*>(q.data_ptr()) + r * n, n, scale);
  }
}
""",
    functions=["quantize"],
)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        q, s = torch.empty_like(x, dtype=torch.int8), torch.empty(x.shape[0])
        library.quantize(x, q, s)
        return q, s
