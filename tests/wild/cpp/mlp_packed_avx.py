"""operator: gelu_mlp_config
dsl: cpp
does: a packed gemm with AVX2 or AVX-512 chosen by __builtin_cpu_supports, OpenMP tasks, tvm-ffi
cpu: PASSED
nvidia_h200: -
device: -
"""

import torch
import tvm_ffi.cpp

source = r"""
#include <immintrin.h>
#include <tvm/ffi/container/tensor.h>
#include <tvm/ffi/error.h>
#include <tvm/ffi/function.h>
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

namespace ffi = tvm::ffi;

// B packed in panels of 16 columns, padded with zeros.
struct Packed { int k, n; std::vector<float> data; };
static Packed pack_transposed(const float* w, int n, int k) {
  Packed p{k, n, std::vector<float>(size_t((n + 15) / 16) * 16 * k, 0.f)};
#pragma omp parallel for schedule(static)
  for (int j0 = 0; j0 < (n + 15) / 16; ++j0)
    for (int i = 0; i < k; ++i)
      for (int j = 0; j < 16 && j0 * 16 + j < n; ++j) p.data[(size_t(j0) * k + i) * 16 + j] = w[size_t(j0 * 16 + j) * k + i];
  return p;
}
__attribute__((target("avx512f"))) static void panel_512(const float* a, const float* b, float* out, int k) {
  __m512 acc = _mm512_setzero_ps();
  for (int i = 0; i < k; ++i) acc = _mm512_fmadd_ps(_mm512_set1_ps(a[i]), _mm512_loadu_ps(b + i * 16), acc);
  _mm512_storeu_ps(out, acc);
}
__attribute__((target("avx2,fma"))) static void panel_256(const float* a, const float* b, float* out, int k) {
  __m256 lo = _mm256_setzero_ps(), hi = _mm256_setzero_ps();
  for (int i = 0; i < k; ++i) {
    const __m256 s = _mm256_broadcast_ss(a + i) ;
    lo = _mm256_fmadd_ps(s, _mm256_loadu_ps(b + i * 16), lo);
    hi = _mm256_fmadd_ps(s, _mm256_loadu_ps(b + i * 16 + 8), hi);
  }
  _mm256_storeu_ps(out, lo);
  _mm256_storeu_ps(out + 8, hi);
}
static void panel_plain(const float* a, const float* b, float* out, int k) {
  float acc[16] = {};
  for (int i = 0; i < k; ++i)
#pragma omp simd
    for (int j = 0; j < 16; ++j) acc[j] += a[i] * b[i * 16 + j];
  std::memcpy(out, acc, sizeof acc);
}
using Panel = void (*)(const float*, const float*, float*, int);
static Panel choose() {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f")) return panel_512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return panel_256;
  return panel_plain;
}
static const Panel panel = choose();

static void row_times(const float* a, const Packed& b, float* out) {
  alignas(64) float tile[16];
  for (int j0 = 0; j0 * 16 < b.n; ++j0) {
    panel(a, b.data.data() + size_t(j0) * b.k * 16, tile, b.k);
    std::memcpy(out + j0 * 16, tile, sizeof(float) * std::min(16, b.n - j0 * 16));
  }
}

void mlp(ffi::TensorView x, ffi::TensorView gate, ffi::TensorView up, ffi::TensorView down, ffi::TensorView out) {
  TVM_FFI_ICHECK_EQ(x.ndim(), 2);
  const int rows = x.size(0), h = x.size(1), inner = gate.size(0);
  const float* xp = static_cast<const float*>(x.data_ptr());
  float* op = static_cast<float*>(out.data_ptr());
  Packed g, u, d;
#pragma omp parallel
#pragma omp single
  {
#pragma omp task shared(g)
    g = pack_transposed(static_cast<const float*>(gate.data_ptr()), inner, h);
#pragma omp task shared(u)
    u = pack_transposed(static_cast<const float*>(up.data_ptr()), inner, h);
#pragma omp task shared(d)
    d = pack_transposed(static_cast<const float*>(down.data_ptr()), h, inner);
#pragma omp taskwait
#pragma omp taskloop grainsize(4)
    for (int r = 0; r < rows; ++r) {
      static thread_local std::vector<float> a, b;
      a.resize(inner);
      b.resize(inner);
      row_times(xp + size_t(r) * h, g, a.data());
      row_times(xp + size_t(r) * h, u, b.data());
      for (int i = 0; i < inner; ++i) a[i] = a[i] / (1.f + std::exp(-a[i])) * b[i];
      row_times(a.data(), d, op + size_t(r) * h);
    }
  }
}
TVM_FFI_DLL_EXPORT_TYPED_FUNC(mlp, mlp);
"""
mod = tvm_ffi.cpp.load_inline(
    name="mlp_packed", cpp_sources=source, extra_cflags=["-O3", "-fopenmp"], extra_ldflags=["-fopenmp"]
)


class MLP(torch.nn.Module):
    def __init__(self, h, i):
        super().__init__()
        self.gate_proj = torch.nn.Linear(h, i, bias=False)
        self.up_proj = torch.nn.Linear(h, i, bias=False)
        self.down_proj = torch.nn.Linear(i, h, bias=False)

    def forward(self, x):
        flat = x.reshape(-1, x.shape[-1]).contiguous()
        out = torch.empty_like(flat)
        mod.mlp(flat, self.gate_proj.weight, self.up_proj.weight, self.down_proj.weight, out)
        return out.view(x.shape)


class ModelNew(torch.nn.Module):
    def __init__(self, hidden_size=48, intermediate_size=80):
        super().__init__()
        self.mlp = MLP(hidden_size, intermediate_size)

    def forward(self, hidden_states):
        return {"last_hidden_state": self.mlp(hidden_states), "attentions": None}
