"""operator: row_softmax_stats
dsl: cuda_c
does: a block a row by shuffles, keywords with defaults, an optional result, launch bounds and a template over threads
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
from torch.utils.cpp_extension import load_inline

cpp_source = r"""
#include <torch/extension.h>
#include <optional>
#include <tuple>
std::tuple<at::Tensor, at::Tensor, std::optional<at::Tensor>> softmax_stats(const at::Tensor& x, double temperature, bool entropy);
PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  m.def("softmax_stats", &softmax_stats, "softmax with statistics", py::arg("x"), py::arg("temperature") = 1.0,
        py::arg("entropy") = true);
}
"""
cuda_source = r"""
#include <ATen/ATen.h>
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAException.h>
#include <cuda_runtime.h>
#include <optional>
#include <tuple>
#include <limits>

constexpr unsigned kFull = 0xffffffffu;

struct MaxOp { template <typename T> __device__ __forceinline__ T operator()(T a, T b) const { return a > b ? a : b; } };
struct AddOp { template <typename T> __device__ __forceinline__ T operator()(T a, T b) const { return a + b; } };

template <int kThreads, typename T, typename Op>
__device__ __forceinline__ T block_all_reduce(T v, Op op, T identity) {
  static_assert(kThreads % 32 == 0, "whole warps");
  __shared__ T lanes[kThreads / 32];
  __shared__ T result;
#pragma unroll
  for (int mask = 16; mask > 0; mask >>= 1) v = op(v, __shfl_xor_sync(kFull, v, mask, 32));
  const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
  if (lane == 0) lanes[warp] = v;
  __syncthreads();
  if (warp == 0) {
    v = lane < kThreads / 32 ? lanes[lane] : identity;
#pragma unroll
    for (int mask = 16; mask > 0; mask >>= 1) v = op(v, __shfl_xor_sync(kFull, v, mask, 32));
    if (lane == 0) result = v;
  }
  __syncthreads();
  return result;
}

template <int kThreads, bool kEntropy>
__global__ void __launch_bounds__(kThreads, 2)
softmax_kernel(const float* __restrict__ x, float* __restrict__ p, float* __restrict__ top, float* __restrict__ h,
               const int64_t cols, const float inv_t) {
  const int64_t row = blockIdx.x;
  x += row * cols;
  p += row * cols;
  float m = -std::numeric_limits<float>::infinity();
  for (int64_t i = threadIdx.x; i < cols; i += kThreads) m = fmaxf(m, __ldg(x + i) * inv_t);
  m = block_all_reduce<kThreads>(m, MaxOp{}, -INFINITY);
  float s = 0.f, dot = 0.f;
  for (int64_t i = threadIdx.x; i < cols; i += kThreads) {
    const float y = __ldg(&x[i]) * inv_t - m;
    const float e = expf(y);
    s += e;
    if constexpr (kEntropy) dot += e * y;
    p[i] = e;
  }
  s = block_all_reduce<kThreads>(s, AddOp{}, 0.f);
  if constexpr (kEntropy) dot = block_all_reduce<kThreads>(dot, AddOp(), 0.f);
  for (int64_t i = threadIdx.x; i < cols; i += kThreads) p[i] = p[i] / s;
  if (threadIdx.x == 0) {
    top[row] = m;
    if constexpr (kEntropy) h[row] = logf(s) - dot / s;
  }
}

std::tuple<at::Tensor, at::Tensor, std::optional<at::Tensor>> softmax_stats(const at::Tensor& x, double temperature, bool entropy) {
  TORCH_CHECK(x.is_cuda(), "x must be on CUDA, got ", x.device());
  TORCH_CHECK(x.dim() == 2, "expected 2-D, got ", x.dim(), "-D of sizes ", x.sizes());
  TORCH_CHECK_VALUE(temperature > 0, "temperature must be positive");
  const at::cuda::OptionalCUDAGuard device_guard(device_of(x));
  const auto in = x.contiguous();
  const auto rows = in.size(0), cols = in.size(1);
  auto p = at::empty_like(in);
  auto top = at::empty({rows}, in.options());
  std::optional<at::Tensor> h = std::nullopt;
  if (entropy) h = at::empty({rows}, in.options());
  if (rows == 0) return {p, top, h};
  constexpr int threads = 128;
  auto stream = at::cuda::getCurrentCUDAStream();
  const float inv_t = static_cast<float>(1.0 / temperature);
  if (h.has_value()) {
    softmax_kernel<threads, true><<<static_cast<unsigned>(rows), threads, 0, stream>>>(
        in.const_data_ptr<float>(), p.mutable_data_ptr<float>(), top.mutable_data_ptr<float>(), h->mutable_data_ptr<float>(), cols, inv_t);
  } else {
    softmax_kernel<threads, false><<<static_cast<unsigned>(rows), threads, 0, stream>>>(
        in.const_data_ptr<float>(), p.mutable_data_ptr<float>(), top.mutable_data_ptr<float>(), nullptr, cols, inv_t);
  }
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return std::make_tuple(p, top, h);
}
"""
ext = load_inline(
    name="softmax_stats_ext",
    cpp_sources=[cpp_source],
    cuda_sources=[cuda_source],
    extra_cflags=["-O3", "-std=c++17"],
    extra_cuda_cflags=["-O3", "--expt-relaxed-constexpr", "-lineinfo"],
    verbose=False,
)


class ModelNew(torch.nn.Module):
    def forward(self, x, temperature: float = 1.0, return_entropy: bool = True):
        return ext.softmax_stats(x, temperature=temperature, entropy=return_entropy)
