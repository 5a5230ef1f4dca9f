// The part of PyTorch's C++ interface that host code around CUDA kernels uses, without PyTorch: tensors are addresses
// with shapes, and what needs memory or arithmetic is asked of Python. It stands in for torch/extension.h where kernels
// are interpreted or compiled only; executed candidates get the real headers. What is not here does not compile.
#pragma once
#include "autograd.h"

namespace c10 {
using at::Scalar; using at::Tensor;
template <class T> using List = std::vector<T>;
namespace cuda {
struct CUDAStream {
  CUDAStream() = default;
  cudaStream_t stream() const { return nullptr; }
  operator cudaStream_t() const { return nullptr; }
  void synchronize() const {}
  bool query() const { return true; }
  DeviceIndex device_index() const { return 0; }
  Device device() const { return DeviceType::CUDA; }
  int64_t id() const { return 0; }
  CUDAStream unwrap() const { return *this; }
};
inline CUDAStream getCurrentCUDAStream(int = 0) { return {}; }
inline CUDAStream getDefaultCUDAStream(int = 0) { return {}; }
inline CUDAStream getStreamFromPool(bool = false, int = 0) { return {}; }
inline void setCurrentCUDAStream(CUDAStream) {}
struct CUDAGuard {
  CUDAGuard() = default;
  template <class T> explicit CUDAGuard(const T&) {}
  template <class T> void set_device(const T&) {}
  template <class T> void reset_device(const T&) {}
};
struct OptionalCUDAGuard : CUDAGuard { using CUDAGuard::CUDAGuard; };
struct CUDAStreamGuard { explicit CUDAStreamGuard(CUDAStream) {} };
struct CUDAEvent {
  CUDAEvent() = default;
  explicit CUDAEvent(unsigned) {}
  void record() {}
  void record(const CUDAStream&) {}
  void recordOnce(const CUDAStream&) {}
  void block(const CUDAStream&) {}
  void synchronize() const {}
  bool query() const { return true; }
  bool isCreated() const { return true; }
  float elapsed_time(const CUDAEvent&) const { return 0.0f; }
  cudaEvent_t event() const { return nullptr; }
};
inline DeviceIndex current_device() { return 0; }
inline DeviceIndex device_count() { return 1; }
inline void set_device(DeviceIndex) {}
inline void device_synchronize() {}
inline void stream_synchronize(cudaStream_t) {}
}  // namespace cuda
using DeviceGuard = cuda::CUDAGuard;
using OptionalDeviceGuard = cuda::OptionalCUDAGuard;
}  // namespace c10

namespace at {
using c10::DeviceGuard; using c10::OptionalDeviceGuard; using c10::optional; using c10::nullopt;
namespace cuda {
using namespace c10::cuda;
inline cudaDeviceProp* getDeviceProperties(int device = 0) {
  static cudaDeviceProp known;
  cudaGetDeviceProperties(&known, device);
  return &known;
}
inline cudaDeviceProp* getCurrentDeviceProperties() { return getDeviceProperties(); }
inline bool is_available() { return true; }
inline int warp_size() { return 32; }
template <class A, class B> AKGFLOW_BOTH constexpr auto ATenCeilDiv(A a, B b) { return (a + b - 1) / b; }
}  // namespace cuda
inline bool hasCUDA() { return true; }

// What sums of an element type are kept in.
template <class T, bool on_gpu> struct AccumulateType { using type = T; };
template <> struct AccumulateType<Half, true> { using type = float; };
template <> struct AccumulateType<BFloat16, true> { using type = float; };
template <> struct AccumulateType<float, false> { using type = double; };
template <> struct AccumulateType<int, true> { using type = int64_t; };
template <class T, bool on_gpu> using acc_type = typename AccumulateType<T, on_gpu>::type;
template <class T> struct OpMathType { using type = T; };
template <> struct OpMathType<Half> { using type = float; };
template <> struct OpMathType<BFloat16> { using type = float; };
template <class T> using opmath_type = typename OpMathType<T>::type;
struct NoGradGuard { NoGradGuard() {} };
struct AutoGradMode { explicit AutoGradMode(bool) {} };
struct AutoDispatchBelowADInplaceOrView { AutoDispatchBelowADInplaceOrView() {} };
struct AutoDispatchBelowAutograd { AutoDispatchBelowAutograd() {} };
struct AutoNonVariableTypeMode { explicit AutoNonVariableTypeMode(bool = true) {} };
}  // namespace at
namespace c10 { struct InferenceMode { explicit InferenceMode(bool = true) {} }; }

template <class T> __device__ inline T gpuAtomicAdd(T* address, T value) { return atomicAdd(address, value); }
template <class T> __device__ inline void gpuAtomicAddNoReturn(T* address, T value) { atomicAdd(address, value); }

namespace torch {
using namespace at;
using c10::Device; using c10::DeviceType; using c10::optional; using c10::nullopt; using c10::str;
using Dtype = c10::ScalarType;
using autograd::Variable;
namespace cuda {
using namespace at::cuda;
inline void synchronize(int64_t = -1) {}
}  // namespace cuda
inline c10::TensorOptions dtype(c10::ScalarType type) { return type; }
inline c10::TensorOptions device(c10::Device where) { return where; }
inline c10::TensorOptions requires_grad(bool = true) { return {}; }
inline constexpr c10::ScalarType kF32 = at::kFloat, kF64 = at::kDouble, kF16 = at::kHalf, kI32 = at::kInt,
                                 kI64 = at::kLong;
}  // namespace torch

#define C10_HOST_DEVICE __host__ __device__
#define C10_DEVICE __device__
#define C10_HOST __host__
#define C10_ALWAYS_INLINE inline
#define C10_LIKELY(condition) (condition)
#define C10_UNLIKELY(condition) (condition)
#define C10_WARP_SIZE 32
#define C10_LAUNCH_BOUNDS_0 __launch_bounds__(256, 4)
#define C10_LAUNCH_BOUNDS_1(threads) __launch_bounds__(threads)
#define C10_LAUNCH_BOUNDS_2(threads, blocks) __launch_bounds__(threads, blocks)
#define WARP_SHFL_DOWN(value, ...) __shfl_down_sync(0xFFFFFFFFu, value, __VA_ARGS__)
#define WARP_SHFL_XOR(value, ...) __shfl_xor_sync(0xFFFFFFFFu, value, __VA_ARGS__)
#define WARP_SHFL(value, ...) __shfl_sync(0xFFFFFFFFu, value, __VA_ARGS__)

#define TORCH_CHECK(condition, ...)                                                                   \
  do {                                                                                                \
    if (!(condition)) throw ::c10::Error(::c10::str("check failed: " #condition " ", ##__VA_ARGS__)); \
  } while (0)
#define TORCH_CHECK_WITH(kind, condition, ...) TORCH_CHECK(condition, ##__VA_ARGS__)
#define TORCH_CHECK_VALUE TORCH_CHECK
#define TORCH_CHECK_TYPE TORCH_CHECK
#define TORCH_CHECK_INDEX TORCH_CHECK
#define TORCH_CHECK_NOT_IMPLEMENTED TORCH_CHECK
#define TORCH_INTERNAL_ASSERT TORCH_CHECK
#define TORCH_INTERNAL_ASSERT_DEBUG_ONLY TORCH_CHECK
#define AT_ASSERTM TORCH_CHECK
#define AT_ASSERT TORCH_CHECK
#define AKGFLOW_COMPARE(a, sign, b, ...) TORCH_CHECK((a) sign (b), ##__VA_ARGS__)
#define TORCH_CHECK_EQ(a, b, ...) AKGFLOW_COMPARE(a, ==, b, ##__VA_ARGS__)
#define TORCH_CHECK_NE(a, b, ...) AKGFLOW_COMPARE(a, !=, b, ##__VA_ARGS__)
#define TORCH_CHECK_LT(a, b, ...) AKGFLOW_COMPARE(a, <, b, ##__VA_ARGS__)
#define TORCH_CHECK_LE(a, b, ...) AKGFLOW_COMPARE(a, <=, b, ##__VA_ARGS__)
#define TORCH_CHECK_GT(a, b, ...) AKGFLOW_COMPARE(a, >, b, ##__VA_ARGS__)
#define TORCH_CHECK_GE(a, b, ...) AKGFLOW_COMPARE(a, >=, b, ##__VA_ARGS__)
#define TORCH_WARN(...) ((void)0)
#define TORCH_WARN_ONCE(...) ((void)0)
#define AT_ERROR(...) throw ::c10::Error(::c10::str(__VA_ARGS__))
#define C10_THROW_ERROR(kind, message) throw ::c10::Error(message)
#define C10_CUDA_CHECK(expression)                                                                     \
  do {                                                                                                 \
    const cudaError_t akgflow_error = (expression);                                                    \
    if (akgflow_error != cudaSuccess) throw ::c10::Error(cudaGetErrorString(akgflow_error));           \
  } while (0)
#define AT_CUDA_CHECK C10_CUDA_CHECK
#define C10_CUDA_KERNEL_LAUNCH_CHECK() C10_CUDA_CHECK(cudaGetLastError())
#define C10_CUDA_CHECK_WARN(expression) ((void)(expression))

#include "dispatch.h"
#include "library.h"
#include "helpers.h"
