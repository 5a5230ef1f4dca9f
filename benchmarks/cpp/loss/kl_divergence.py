"""Kullback-Leibler divergence of logits: two sums of exponentials of a row, then one pass."""

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

#if defined(__AVX512F__)
constexpr int W = 16, MR = 12;  // floats in a register; rows of a tile: 24 sums of 32 registers
#else
constexpr int W = 8, MR = 6;    // 12 sums of 16 registers
#endif
constexpr int NR = 2 * W;
typedef float vec __attribute__((vector_size(4 * W), aligned(4), may_alias));
typedef int32_t ivec __attribute__((vector_size(4 * W), aligned(4), may_alias));
static inline vec load(const float* p) { return *reinterpret_cast<const vec*>(p); }
static inline void store(float* p, vec v) { *reinterpret_cast<vec*>(p) = v; }

// At the right edge: the first `left` floats only; zeros beyond.
#if defined(__AVX512F__)
static inline __mmask16 some(int64_t left) { return left >= 16 ? 0xffff : left > 0 ? (1u << left) - 1 : 0; }
static inline vec load_some(const float* p, int64_t left) { return (vec)_mm512_maskz_loadu_ps(some(left), p); }
static inline void store_some(float* p, vec v, int64_t left) { _mm512_mask_storeu_ps(p, some(left), (__m512)v); }
#else
static inline vec load_some(const float* p, int64_t left) {
  if (left >= W) return load(p);
  float edge[W] = {};
  for (int64_t i = 0; i < left; ++i) edge[i] = p[i];
  return load(edge);
}
static inline void store_some(float* p, vec v, int64_t left) {
  if (left >= W) return store(p, v);
  float edge[W];
  store(edge, v);
  for (int64_t i = 0; i < left; ++i) p[i] = edge[i];
}
#endif

// e^x within about one unit in the last place: 2^n, a polynomial for the rest; NaN stays NaN.
static inline vec exp_of(vec x) {
  const vec low = vec{} - 104.f, high = vec{} + 89.f, magic = vec{} + 12582912.f;
#if defined(__AVX512F__)
  const vec y = (vec)_mm512_min_ps((__m512)high, _mm512_max_ps((__m512)low, (__m512)x));  // a NaN is the second
#else
  vec y = x < low ? low : x;
  y = y > high ? high : y;
#endif
  const vec z = y * 1.44269504f + magic, n = z - magic, r = (y - n * 0.693359375f) + n * 2.12194440e-4f;
  vec p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.f;
#if defined(__AVX512F__)
  return (vec)_mm512_scalef_ps((__m512)p, (__m512)n);
#else
  // 2^n in two factors: n goes from -150 to 128.
  const ivec whole = (ivec)z - 0x4b400000, half = whole >> 1;
  return p * (vec)((half + 127) << 23) * (vec)((whole - half + 127) << 23);
#endif
}

static inline float add_up(vec v) {
  float s[W];
  store(s, v);
  for (int w = W / 2; w > 0; w /= 2)
    for (int i = 0; i < w; ++i) s[i] += s[i + w];
  return s[0];
}

static inline float largest(vec v) {
  float s[W];
  store(s, v);
  float best = s[0];
  for (int i = 1; i < W; ++i) best = s[i] > best ? s[i] : best;
  return best;
}

// The last `left` < W floats of a row; -inf beyond them.
static inline vec load_tail(const float* p, int64_t left) {
  float edge[W];
  for (int64_t i = 0; i < W; ++i) edge[i] = i < left ? p[i] : -INFINITY;
  return load(edge);
}

// log(sum of e^x) of a row: the largest value first, then one pass of exponentials.
static inline float log_sum_exp(const float* x, int64_t n) {
  const int64_t whole = n / W * W;
  const vec tail = load_tail(x + whole, n - whole);
  vec best = tail;
  for (int64_t c = 0; c < whole; c += W) {
    const vec v = load(x + c);
    best = v > best ? v : best;
  }
  const float top = largest(best);
  if (std::isinf(top) && top > 0) return top;
  const float from = std::isinf(top) ? 0.f : top;
  vec one = exp_of(tail - from), two = {};
  int64_t c = 0;
  for (; c + 2 * W <= whole; c += 2 * W) one += exp_of(load(x + c) - from), two += exp_of(load(x + c + W) - from);
  for (; c < whole; c += W) one += exp_of(load(x + c) - from);
  return from + std::log(add_up(one + two));
}
static inline float* data(const tvm::ffi::TensorView& t) { return static_cast<float*>(t.data_ptr()); }

static double row_of(const float* x, const float* t, int64_t n) {
  const float lx = log_sum_exp(x, n), lt = log_sum_exp(t, n);
  vec one = {};
  int64_t c = 0;
  for (; c + W <= n; c += W) {
    const vec p = load(t + c) - lt;
    one += exp_of(p) * (p - (load(x + c) - lx));
  }
  double sum = add_up(one);
  for (; c < n; ++c) sum += std::exp(t[c] - lt) * ((t[c] - lt) - (x[c] - lx));
  return sum;
}

void kl_divergence(tvm::ffi::TensorView logits, tvm::ffi::TensorView target, tvm::ffi::TensorView out) {
  const int64_t rows = logits.size(0), n = logits.size(1);
  std::vector<double> found(rows);
#pragma omp parallel for schedule(static) if (rows * n > 10000)
  for (int64_t r = 0; r < rows; ++r) found[r] = row_of(data(logits) + r * n, data(target) + r * n, n);
  double sum = 0;
  for (double one : found) sum += one;
  *data(out) = float(sum / rows);
}
"""

library = load_inline(name="kl_divergence", cpp_sources=SOURCE, functions=["kl_divergence"])


class ModelNew(torch.nn.Module):
    def forward(self, logits, target):
        out = torch.empty((), dtype=torch.float32, device=logits.device)
        library.kl_divergence(logits.contiguous(), target.contiguous(), out)
        return out
