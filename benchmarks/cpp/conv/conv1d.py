"""A convolution along time with stride 2: even and odd steps are split while they are copied."""

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

// sum[i][0..NR) = sum over p of weight[i * k + p] * from[at[p] + 0..NR): a matrix product whose right operand is the
// padded image itself; at[p] is the place of channel and tap p.
template <int M>
static inline void correlate(int64_t k, const float* weight, const float* from, const int32_t* at, vec (&sum)[M][2]) {
#pragma GCC unroll 12
  for (int i = 0; i < M; ++i) sum[i][0] = sum[i][1] = vec{};
  for (int64_t p = 0; p < k; ++p) {
    const vec b0 = load(from + at[p]), b1 = load(from + at[p] + W);
#pragma GCC unroll 12
    for (int i = 0; i < M; ++i) {
      const float one = weight[i * k + p];
      sum[i][0] += one * b0;
      sum[i][1] += one * b1;
    }
  }
}
static inline float* data(const tvm::ffi::TensorView& t) { return static_cast<float*>(t.data_ptr()); }

template <int M>
static void strip(int64_t k, const float* weight, const float* bias, const float* from, const int32_t* at, float* to,
                  int64_t n, int64_t left) {
  vec sum[M][2];
  correlate<M>(k, weight, from, at, sum);
  for (int r = 0; r < M; ++r)
    for (int h = 0; h < 2; ++h)
      if (left > h * W) store_some(to + r * n + h * W, sum[r][h] + bias[r], left - h * W);
}

void conv1d(tvm::ffi::TensorView x, tvm::ffi::TensorView weight, tvm::ffi::TensorView bias, tvm::ffi::TensorView out) {
  const int64_t batch = x.size(0), inner = x.size(1), length = x.size(2), outer = weight.size(0), n = out.size(2);
  const int64_t k = inner * 5, wide = NR + 2, strips = (n + NR - 1) / NR;
  std::vector<int32_t> at(k);
  // Channel c has a row of even steps and one of odd steps; tap t reads step t / 2 of its parity.
  for (int64_t p = 0; p < k; ++p) at[p] = (p / 5 * 2 + p % 5 % 2) * wide + p % 5 / 2;
#pragma omp parallel if (batch * outer * n * k > 100000)
  {
    std::vector<float> split(inner * 2 * wide);
#pragma omp for collapse(2) schedule(dynamic)
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t s = 0; s < strips; ++s) {
        const int64_t first = s * NR * 2 - 2;
        for (int64_t c = 0; c < inner; ++c) {
          const float* from = data(x) + (b * inner + c) * length;
          float *even = &split[c * 2 * wide], *odd = even + wide;
          for (int64_t i = 0; i < wide; ++i) {
            const int64_t t = first + 2 * i;
            even[i] = t >= 0 && t < length ? from[t] : 0.f;
            odd[i] = t + 1 >= 0 && t + 1 < length ? from[t + 1] : 0.f;
          }
        }
        float* to = data(out) + b * outer * n + s * NR;
        int64_t o = 0;
        for (; o + 12 <= outer; o += 12)
          strip<12>(k, data(weight) + o * k, data(bias) + o, split.data(), at.data(), to + o * n, n, n - s * NR);
        for (; o < outer; ++o)
          strip<1>(k, data(weight) + o * k, data(bias) + o, split.data(), at.data(), to + o * n, n, n - s * NR);
      }
  }
}
"""

library = load_inline(name="conv1d", cpp_sources=SOURCE, functions=["conv1d"])


class ModelNew(torch.nn.Module):
    def __init__(self, inner, outer):
        super().__init__()
        self.conv = torch.nn.Conv1d(inner, outer, 5, stride=2, padding=2)

    def forward(self, x):
        x, weight = x.contiguous(), self.conv.weight.detach().contiguous()
        out = torch.empty(x.shape[0], weight.shape[0], (x.shape[2] - 1) // 2 + 1, dtype=x.dtype, device=x.device)
        library.conv1d(x, weight, self.conv.bias.detach(), out)
        return out
