"""Products of a batch: each is packed and used by the thread that takes the task."""

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

// sum[i][0..NR) = sum over k of a[i * row + k * step] * b[k * ldb + 0..NR), held in registers throughout.
template <int M>
static inline void product(int64_t k, const float* a, int64_t row, int64_t step, const float* b, int64_t ldb,
                           vec (&sum)[M][2]) {
#pragma GCC unroll 12
  for (int i = 0; i < M; ++i) sum[i][0] = sum[i][1] = vec{};
  for (int64_t p = 0; p < k; ++p, a += step, b += ldb) {
    const vec b0 = load(b), b1 = load(b + W);
#pragma GCC unroll 12
    for (int i = 0; i < M; ++i) {
      const float one = a[i * row];
      sum[i][0] += one * b0;
      sum[i][1] += one * b1;
    }
  }
}

#if defined(__AVX512F__)
// to[c * ldt + r] = from[r * ldf + c] for 16 x 16: four rounds in registers, no gather.
static inline void transpose16(const float* from, int64_t ldf, float* to, int64_t ldt) {
  __m512 r[16], t[16];
  for (int i = 0; i < 16; ++i) r[i] = _mm512_loadu_ps(from + i * ldf);
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4)
    for (int j = 0; j < 2; ++j) {
      const __m512d a = _mm512_castps_pd(t[i + j]), b = _mm512_castps_pd(t[i + j + 2]);
      r[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
      r[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
    }
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xdd);
    t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xdd);
  }
  for (int i = 0; i < 4; ++i) {
    _mm512_storeu_ps(to + i * ldt, _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88));
    _mm512_storeu_ps(to + (i + 4) * ldt, _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88));
    _mm512_storeu_ps(to + (i + 8) * ldt, _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd));
    _mm512_storeu_ps(to + (i + 12) * ldt, _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xdd));
  }
}
#endif

// panel[p][0..NR) = columns j.. of b; b is [k, n] where step == 1, else [n, k]; zeros beyond n.
static void pack(const float* b, int64_t ldb, bool transposed, int64_t j, int64_t n, int64_t k, float* panel) {
  const int64_t real = std::min<int64_t>(NR, n - j);
  if (!transposed) {
    for (int64_t p = 0; p < k; ++p) {
      const float* from = b + p * ldb + j;
      float* to = panel + p * NR;
      if (real == NR) {
        store(to, load(from));
        store(to + W, load(from + W));
      } else {
        for (int c = 0; c < NR; ++c) to[c] = c < real ? from[c] : 0.f;
      }
    }
    return;
  }
  int64_t done = 0;
#if defined(__AVX512F__)
  if (real == NR)
    for (; done + 16 <= k; done += 16)
      for (int c = 0; c < NR; c += 16) transpose16(b + (j + c) * ldb + done, ldb, panel + done * NR + c, NR);
#endif
  for (int64_t p = done; p < k; ++p)
    for (int c = 0; c < NR; ++c) panel[p * NR + c] = c < real ? b[(j + c) * ldb + p] : 0.f;
}

// Rows i..i+M of one panel; the epilogue runs while the sums are in registers.
template <int M, class Finish>
static void tile(const float* a, int64_t row, int64_t step, int64_t k, const float* panel, float* out, int64_t n,
                 int64_t i, int64_t j, const Finish& finish) {
  vec sum[M][2];
  product<M>(k, a + i * row, row, step, panel, NR, sum);
#pragma GCC unroll 12
  for (int r = 0; r < M; ++r)
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      const int64_t at = j + h * W, left = n - at;
      if (left > 0) store_some(out + (i + r) * n + at, finish(sum[r][h], i + r, at, left), left);
    }
}

template <class Finish>
static void rows(const float* a, int64_t row, int64_t step, int64_t k, const float* panel, float* out, int64_t n,
                 int64_t from, int64_t to, int64_t j, const Finish& finish) {
  int64_t i = from;
  for (; i + MR <= to; i += MR) tile<MR>(a, row, step, k, panel, out, n, i, j, finish);
  for (; i + 4 <= to; i += 4) tile<4>(a, row, step, k, panel, out, n, i, j, finish);
  for (; i < to; ++i) tile<1>(a, row, step, k, panel, out, n, i, j, finish);
}

static inline float* data(const tvm::ffi::TensorView& t) { return static_cast<float*>(t.data_ptr()); }

void batched_matmul(tvm::ffi::TensorView a, tvm::ffi::TensorView b, tvm::ffi::TensorView out) {
  const int64_t batch = a.size(0), m = a.size(1), k = a.size(2), n = b.size(2), panels = (n + NR - 1) / NR;
  const auto plain = [](vec v, int64_t, int64_t, int64_t) { return v; };
#pragma omp parallel if (batch * m * n * k > 100000)
  {
    std::vector<float> panel(k * NR);
#pragma omp for collapse(2) schedule(dynamic)
    for (int64_t one = 0; one < batch; ++one)
      for (int64_t j = 0; j < panels; ++j) {
        pack(data(b) + one * k * n, n, false, j * NR, n, k, panel.data());
        rows(data(a) + one * m * k, k, 1, k, panel.data(), data(out) + one * m * n, n, 0, m, j * NR, plain);
      }
  }
}
"""

library = load_inline(name="batched_matmul", cpp_sources=SOURCE, functions=["batched_matmul"])


class ModelNew(torch.nn.Module):
    def forward(self, left, right):
        left, right = left.contiguous(), right.contiguous()
        out = torch.empty(left.shape[0], left.shape[1], right.shape[2], dtype=left.dtype, device=left.device)
        library.batched_matmul(left, right, out)
        return out
