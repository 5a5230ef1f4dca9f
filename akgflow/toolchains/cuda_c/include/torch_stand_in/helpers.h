// Small functions and macros of PyTorch's headers for kernels.
#pragma once
#include "library.h"

namespace c10 { namespace cuda { namespace compat {
#define AKGFLOW_COMPAT(name)                                                      \
  __host__ __device__ inline float name(float v) { return ::name##f(v); }         \
  __host__ __device__ inline double name(double v) { return ::name(v); }
AKGFLOW_COMPAT(exp) AKGFLOW_COMPAT(ceil) AKGFLOW_COMPAT(floor) AKGFLOW_COMPAT(log) AKGFLOW_COMPAT(log1p)
AKGFLOW_COMPAT(sqrt) AKGFLOW_COMPAT(tan) AKGFLOW_COMPAT(tanh) AKGFLOW_COMPAT(sin) AKGFLOW_COMPAT(cos)
#undef AKGFLOW_COMPAT
__host__ __device__ inline float abs(float v) { return ::fabsf(v); }
__host__ __device__ inline double abs(double v) { return ::fabs(v); }
__host__ __device__ inline float pow(float a, float b) { return ::powf(a, b); }
__host__ __device__ inline double pow(double a, double b) { return ::pow(a, b); }
__host__ __device__ inline float max(float a, float b) { return ::fmaxf(a, b); }
__host__ __device__ inline double max(double a, double b) { return ::fmax(a, b); }
__host__ __device__ inline float min(float a, float b) { return ::fminf(a, b); }
__host__ __device__ inline double min(double a, double b) { return ::fmin(a, b); }
__host__ __device__ inline float rsqrt(float v) { return 1.0f / ::sqrtf(v); }
__host__ __device__ inline double rsqrt(double v) { return 1.0 / ::sqrt(v); }
}}}  // namespace c10::cuda::compat

namespace at { namespace cuda { namespace detail {
constexpr int CUDA_NUM_THREADS = 1024;
inline int GET_BLOCKS(int64_t n, int64_t most_threads = CUDA_NUM_THREADS) {
  if (n <= 0) throw c10::Error(c10::str("CUDA kernel launch blocks must be positive, but got N=", n));
  return int((n - 1) / most_threads + 1);
}
}}}  // namespace at::cuda::detail
namespace torch { namespace nn { namespace functional {
struct PadFuncOptions {
  std::vector<int64_t> pad;
  double filled = 0.0;
  PadFuncOptions(std::vector<int64_t> pad) : pad(std::move(pad)) {}
  PadFuncOptions value(double v) const { auto made = *this; made.filled = v; return made; }
};
inline Tensor pad(const Tensor& t, const PadFuncOptions& o) { return at::constant_pad_nd(t, o.pad, o.filled); }
}}}  // namespace torch::nn::functional
#define CUDA_KERNEL_LOOP_TYPE(i, n, index_type)                                                        \
  int64_t _i_n_d_e_x = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;                                 \
  for (index_type i = _i_n_d_e_x; _i_n_d_e_x < (n); _i_n_d_e_x += blockDim.x * gridDim.x, i = _i_n_d_e_x)
#define CUDA_KERNEL_LOOP(i, n) CUDA_KERNEL_LOOP_TYPE(i, n, int)

// Whether the tensors of a check agree.
namespace at {
using CheckedFrom = const char*;
struct TensorArg {
  Tensor tensor;
  const char* name;
  int pos;
  TensorArg(const Tensor& tensor, const char* name, int pos) : tensor(tensor), name(name), pos(pos) {}
  const Tensor* operator->() const { return &tensor; }
  const Tensor& operator*() const { return tensor; }
};
inline void checkAllSameGPU(CheckedFrom from, ArrayRef<TensorArg> all) {
  for (const TensorArg& one : all) TORCH_CHECK(one->is_cuda(), from, ": ", one.name, " is not on the GPU");
}
inline void checkAllSameType(CheckedFrom from, ArrayRef<TensorArg> all) {
  for (const TensorArg& one : all) {
    TORCH_CHECK(one->scalar_type() == all[0]->scalar_type(), from, ": ", one.name, " has another type than ", all[0].name);
  }
}
inline void checkAllContiguous(CheckedFrom from, ArrayRef<TensorArg> all) {
  for (const TensorArg& one : all) TORCH_CHECK(one->is_contiguous(), from, ": ", one.name, " is not contiguous");
}
}  // namespace at
