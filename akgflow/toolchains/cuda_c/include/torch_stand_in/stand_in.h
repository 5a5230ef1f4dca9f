// The part of PyTorch's C++ interface that host code around CUDA kernels uses, without PyTorch: tensors are addresses
// with shapes, and what needs memory or arithmetic is asked of Python. It stands in for torch/extension.h where kernels
// are interpreted or compiled only; executed candidates get the real headers. What is not here does not compile.
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#define AKGFLOW_BOTH __host__ __device__

namespace c10 {
struct Half {
  unsigned short x;
  Half() = default;
  AKGFLOW_BOTH Half(float v) : x(__half_as_ushort(__float2half_rn(v))) {}
  AKGFLOW_BOTH operator float() const { return __half2float(__ushort_as_half(x)); }
  AKGFLOW_BOTH Half& operator+=(float v) { return *this = Half(float(*this) + v); }
  AKGFLOW_BOTH Half& operator*=(float v) { return *this = Half(float(*this) * v); }
};
struct BFloat16 {
  unsigned short x;
  BFloat16() = default;
  AKGFLOW_BOTH BFloat16(float v) : x(__bfloat16_as_ushort(__float2bfloat16_rn(v))) {}
  AKGFLOW_BOTH operator float() const { return __bfloat162float(__ushort_as_bfloat16(x)); }
  AKGFLOW_BOTH BFloat16& operator+=(float v) { return *this = BFloat16(float(*this) + v); }
  AKGFLOW_BOTH BFloat16& operator*=(float v) { return *this = BFloat16(float(*this) * v); }
};

enum class ScalarType : int { Byte, Char, Short, Int, Long, Half, Float, Double, Bool = 11, BFloat16 = 15 };
template <class T> struct ScalarTypeOf;
#define AKGFLOW_SCALARS(_)                                                                                  \
  _(uint8_t, Byte) _(int8_t, Char) _(int16_t, Short) _(int, Int) _(int64_t, Long) _(::c10::Half, Half)       \
  _(float, Float) _(double, Double) _(bool, Bool) _(::c10::BFloat16, BFloat16)
#define AKGFLOW_SCALAR(type, name) \
  template <> struct ScalarTypeOf<type> { static constexpr ScalarType value = ScalarType::name; };
AKGFLOW_SCALARS(AKGFLOW_SCALAR)
#undef AKGFLOW_SCALAR
template <> struct ScalarTypeOf<__half> { static constexpr ScalarType value = ScalarType::Half; };
template <> struct ScalarTypeOf<__nv_bfloat16> { static constexpr ScalarType value = ScalarType::BFloat16; };
inline const char* toString(ScalarType type) {
  switch (type) {
#define AKGFLOW_SCALAR(t, name) case ScalarType::name: return #name;
    AKGFLOW_SCALARS(AKGFLOW_SCALAR)
#undef AKGFLOW_SCALAR
  }
  return "?";
}
inline int64_t elementSize(ScalarType type) {
  switch (type) {
#define AKGFLOW_SCALAR(t, name) case ScalarType::name: return sizeof(t);
    AKGFLOW_SCALARS(AKGFLOW_SCALAR)
#undef AKGFLOW_SCALAR
  }
  return 0;
}
inline std::ostream& operator<<(std::ostream& out, ScalarType type) { return out << toString(type); }

enum class DeviceType { CPU, CUDA };
struct Device {
  DeviceType kind = DeviceType::CUDA;
  Device(DeviceType kind = DeviceType::CUDA, int = 0) : kind(kind) {}
  bool is_cuda() const { return kind == DeviceType::CUDA; }
  bool is_cpu() const { return kind == DeviceType::CPU; }
  DeviceType type() const { return kind; }
  int index() const { return 0; }
  bool operator==(Device o) const { return kind == o.kind; }
  bool operator!=(Device o) const { return kind != o.kind; }
};
using DeviceIndex = int8_t;

struct IntArrayRef {
  const int64_t* from = nullptr;
  size_t length = 0;
  IntArrayRef() = default;
  IntArrayRef(const int64_t* from, size_t length) : from(from), length(length) {}
  IntArrayRef(const std::vector<int64_t>& v) : from(v.data()), length(v.size()) {}
  IntArrayRef(const std::initializer_list<int64_t>& v) : from(v.begin()), length(v.size()) {}
  const int64_t* begin() const { return from; }
  const int64_t* end() const { return from + length; }
  size_t size() const { return length; }
  int64_t operator[](size_t i) const { return from[i]; }
  std::vector<int64_t> vec() const { return {begin(), end()}; }
  bool operator==(IntArrayRef o) const {
    return length == o.length && std::equal(begin(), end(), o.begin());
  }
  bool operator!=(IntArrayRef o) const { return !(*this == o); }
};
inline std::ostream& operator<<(std::ostream& out, IntArrayRef sizes) {
  out << "[";
  for (size_t i = 0; i < sizes.size(); ++i) out << (i ? ", " : "") << sizes[i];
  return out << "]";
}
using std::nullopt;
template <class T> using optional = std::optional<T>;
struct Error : std::runtime_error { using std::runtime_error::runtime_error; };

struct TensorOptions {
  ScalarType type = ScalarType::Float;
  Device where;
  TensorOptions() = default;
  TensorOptions(ScalarType type) : type(type) {}
  TensorOptions(Device where) : where(where) {}
  TensorOptions(DeviceType kind) : where(kind) {}
  TensorOptions dtype(ScalarType t) const { auto o = *this; o.type = t; return o; }
  TensorOptions device(Device d, int = 0) const { auto o = *this; o.where = d; return o; }
  TensorOptions device(const char*) const { return *this; }
  TensorOptions requires_grad(bool) const { return *this; }
  template <class T> TensorOptions layout(T) const { return *this; }
  template <class T> TensorOptions memory_format(T) const { return *this; }
};

template <class... Args>
std::string words(const Args&... args) {
  std::ostringstream out;
  ((out << args), ...);
  return out.str();
}
}  // namespace c10

namespace akgflow {
constexpr int MOST_DIMS = 12;
// A tensor as it crosses between Python and C++. `handle` names the Python tensor whose memory this is.
struct Info {
  void* data;
  int64_t handle, dims, sizes[MOST_DIMS], strides[MOST_DIMS];
  int32_t type;
};
// kind: 'n' none, 'i' integer, 'd' real, 'b' bool, 't' tensor.
struct Value { int32_t kind; int64_t integer; double real; Info tensor; };
enum class Ask : int32_t { empty, full, contiguous, clone, convert, fill };
using Asked = void (*)(int32_t what, const Info* of, Info* result, double value);
inline Asked& python() { static Asked function = nullptr; return function; }
}  // namespace akgflow

namespace at {
using c10::BFloat16; using c10::Device; using c10::DeviceType; using c10::Half; using c10::IntArrayRef;
using c10::ScalarType; using c10::TensorOptions;
constexpr DeviceType kCUDA = DeviceType::CUDA, kCPU = DeviceType::CPU;
constexpr ScalarType kByte = ScalarType::Byte, kUInt8 = kByte, kChar = ScalarType::Char, kInt8 = kChar,
    kShort = ScalarType::Short, kInt16 = kShort, kInt = ScalarType::Int, kInt32 = kInt, kLong = ScalarType::Long,
    kInt64 = kLong, kHalf = ScalarType::Half, kFloat16 = kHalf, kFloat = ScalarType::Float, kFloat32 = kFloat,
    kDouble = ScalarType::Double, kFloat64 = kDouble, kBool = ScalarType::Bool, kBFloat16 = ScalarType::BFloat16;

template <class T> struct DefaultPtrTraits { using PtrType = T*; };
template <class T> struct RestrictPtrTraits { using PtrType = T* __restrict__; };

// As packed_accessor32: an address with sizes and strides that a kernel can take by value.
template <class T, int N, template <class> class Traits, class Index>
struct PackedTensorAccessor {
  T* from;
  Index sizes_[N], strides_[N];
  AKGFLOW_BOTH Index size(int i) const { return sizes_[i]; }
  AKGFLOW_BOTH Index stride(int i) const { return strides_[i]; }
  AKGFLOW_BOTH T* data() const { return from; }
  template <int M>
  struct Row {
    T* from;
    const Index *sizes, *strides;
    AKGFLOW_BOTH decltype(auto) operator[](Index i) const {
      if constexpr (M == 1) return (from[i * strides[0]]);
      else return Row<M - 1>{from + i * strides[0], sizes + 1, strides + 1};
    }
    AKGFLOW_BOTH Index size(int i) const { return sizes[i]; }
    AKGFLOW_BOTH T* data() const { return from; }
  };
  AKGFLOW_BOTH decltype(auto) operator[](Index i) const { return Row<N>{from, sizes_, strides_}[i]; }
};
template <class T, int N, template <class> class Traits = DefaultPtrTraits>
using PackedTensorAccessor32 = PackedTensorAccessor<T, N, Traits, int32_t>;
template <class T, int N, template <class> class Traits = DefaultPtrTraits>
using PackedTensorAccessor64 = PackedTensorAccessor<T, N, Traits, int64_t>;

class Tensor {
 public:
  akgflow::Info info{nullptr, 0, -1, {}, {}, 0};
  Tensor() = default;
  explicit Tensor(const akgflow::Info& info) : info(info) {}
  bool defined() const { return info.dims >= 0; }
  int64_t dim() const { return info.dims; }
  int64_t ndimension() const { return info.dims; }
  int64_t size(int64_t i) const { return info.sizes[place(i)]; }
  int64_t stride(int64_t i) const { return info.strides[place(i)]; }
  IntArrayRef sizes() const { return {info.sizes, size_t(info.dims)}; }
  IntArrayRef strides() const { return {info.strides, size_t(info.dims)}; }
  int64_t numel() const {
    int64_t n = 1;
    for (int64_t s : sizes()) n *= s;
    return n;
  }
  int64_t nbytes() const { return numel() * element_size(); }
  int64_t element_size() const { return c10::elementSize(scalar_type()); }
  int64_t itemsize() const { return element_size(); }
  ScalarType scalar_type() const { return ScalarType(info.type); }
  ScalarType dtype() const { return scalar_type(); }
  Device device() const { return DeviceType::CUDA; }
  TensorOptions options() const { return TensorOptions(scalar_type()); }
  bool is_cuda() const { return true; }
  bool is_cpu() const { return false; }
  bool is_floating_point() const {
    const auto t = scalar_type();
    return t == kHalf || t == kFloat || t == kDouble || t == kBFloat16;
  }
  bool requires_grad() const { return false; }
  int get_device() const { return 0; }
  bool is_contiguous() const {
    int64_t expected = 1;
    for (int64_t i = info.dims - 1; i >= 0; --i) {
      if (info.sizes[i] != 1 && info.strides[i] != expected) return numel() == 0;
      expected *= info.sizes[i];
    }
    return true;
  }
  void* data_ptr() const { return info.data; }
  template <class T> T* data_ptr() const {
    using Plain = std::remove_cv_t<T>;
    if (c10::ScalarTypeOf<Plain>::value != scalar_type()) {
      throw c10::Error(c10::words("expected scalar type ", c10::ScalarTypeOf<Plain>::value, " but found ",
                                  scalar_type()));
    }
    return static_cast<T*>(info.data);
  }
  template <class T> T* data() const { return data_ptr<T>(); }
  template <class T> T* mutable_data_ptr() const { return data_ptr<T>(); }
  template <class T> const T* const_data_ptr() const { return data_ptr<T>(); }
  const void* const_data_ptr() const { return info.data; }
  void* mutable_data_ptr() const { return info.data; }
  Tensor contiguous() const { return is_contiguous() ? *this : ask(akgflow::Ask::contiguous, info); }
  Tensor clone() const { return ask(akgflow::Ask::clone, info); }
  Tensor detach() const { return *this; }
  Tensor cuda() const { return *this; }
  Tensor to(ScalarType type) const {
    auto wanted = info;
    wanted.type = int32_t(type);
    return type == scalar_type() ? *this : ask(akgflow::Ask::convert, wanted);
  }
  Tensor& zero_() { return fill_(0); }
  Tensor& fill_(double value) { ask(akgflow::Ask::fill, info, value); return *this; }
  Tensor view(IntArrayRef shape) const {
    if (!is_contiguous()) throw c10::Error("view of a tensor that is not contiguous");
    auto sizes = shape.vec();
    int64_t known = 1, open = -1;
    for (size_t i = 0; i < sizes.size(); ++i) {
      if (sizes[i] < 0) open = int64_t(i); else known *= sizes[i];
    }
    if (open >= 0) sizes[open] = known ? numel() / known : 0;
    auto made = of(sizes, scalar_type());
    if (Tensor(made).numel() != numel()) throw c10::Error(c10::words("shape ", shape, " is invalid for ", numel(), " elements"));
    made.data = info.data;
    made.handle = info.handle;
    return Tensor(made);
  }
  Tensor reshape(IntArrayRef shape) const { return contiguous().view(shape); }
  Tensor flatten() const { return reshape({-1}); }
  Tensor transpose(int64_t a, int64_t b) const {
    Tensor other = *this;
    std::swap(other.info.sizes[place(a)], other.info.sizes[place(b)]);
    std::swap(other.info.strides[place(a)], other.info.strides[place(b)]);
    return other;
  }
  Tensor t() const { return info.dims < 2 ? *this : transpose(0, 1); }
  template <class T, int N, template <class> class Traits = DefaultPtrTraits, class Index = int64_t>
  PackedTensorAccessor<T, N, Traits, Index> packed_accessor() const {
    if (dim() != N) throw c10::Error(c10::words("expected ", N, " dims but tensor has ", dim()));
    PackedTensorAccessor<T, N, Traits, Index> made{data_ptr<T>(), {}, {}};
    for (int i = 0; i < N; ++i) made.sizes_[i] = Index(size(i)), made.strides_[i] = Index(stride(i));
    return made;
  }
  template <class T, int N, template <class> class Traits = DefaultPtrTraits>
  auto packed_accessor32() const { return packed_accessor<T, N, Traits, int32_t>(); }
  template <class T, int N, template <class> class Traits = DefaultPtrTraits>
  auto packed_accessor64() const { return packed_accessor<T, N, Traits, int64_t>(); }

  // A description of a dense tensor, without memory.
  static akgflow::Info of(IntArrayRef sizes, ScalarType type) {
    akgflow::Info made{nullptr, 0, int64_t(sizes.size()), {}, {}, int32_t(type)};
    if (made.dims > akgflow::MOST_DIMS) throw c10::Error("too many dimensions");
    int64_t stride = 1;
    for (int64_t i = made.dims - 1; i >= 0; --i) {
      made.sizes[i] = sizes[i];
      made.strides[i] = stride;
      stride *= sizes[i] > 1 ? sizes[i] : 1;
    }
    return made;
  }
  static Tensor ask(akgflow::Ask what, const akgflow::Info& info, double value = 0) {
    akgflow::Info made = info;
    akgflow::python()(int32_t(what), &info, &made, value);
    if (made.dims < 0) throw c10::Error("the tensor could not be made");
    return Tensor(made);
  }

 private:
  int64_t place(int64_t i) const {
    if (i < -info.dims || i >= info.dims) throw c10::Error(c10::words("dimension ", i, " of a tensor of ", info.dims));
    return i < 0 ? i + info.dims : i;
  }
};

inline Tensor empty(IntArrayRef sizes, TensorOptions o = {}) { return Tensor::ask(akgflow::Ask::empty, Tensor::of(sizes, o.type)); }
inline Tensor full(IntArrayRef sizes, double value, TensorOptions o = {}) {
  return Tensor::ask(akgflow::Ask::full, Tensor::of(sizes, o.type), value);
}
inline Tensor zeros(IntArrayRef sizes, TensorOptions o = {}) { return full(sizes, 0, o); }
inline Tensor ones(IntArrayRef sizes, TensorOptions o = {}) { return full(sizes, 1, o); }
inline Tensor empty_like(const Tensor& t) { return empty(t.sizes(), t.options()); }
inline Tensor empty_like(const Tensor& t, TensorOptions o) { return empty(t.sizes(), o); }
inline Tensor zeros_like(const Tensor& t) { return zeros(t.sizes(), t.options()); }
inline Tensor zeros_like(const Tensor& t, TensorOptions o) { return zeros(t.sizes(), o); }
inline Tensor ones_like(const Tensor& t) { return ones(t.sizes(), t.options()); }
inline Tensor full_like(const Tensor& t, double value) { return full(t.sizes(), value, t.options()); }

namespace cuda {
struct CUDAStream {
  cudaStream_t stream() const { return nullptr; }
  operator cudaStream_t() const { return nullptr; }
  void synchronize() const {}
};
inline CUDAStream getCurrentCUDAStream(int = 0) { return {}; }
inline CUDAStream getDefaultCUDAStream(int = 0) { return {}; }
struct CUDAGuard { template <class T> explicit CUDAGuard(const T&) {} };
using OptionalCUDAGuard = CUDAGuard;
}  // namespace cuda
inline Device device_of(const Tensor& t) { return t.device(); }
}  // namespace at

namespace c10 {
using at::Tensor;
using DeviceGuard = at::cuda::CUDAGuard;
namespace cuda { using namespace at::cuda; }
}  // namespace c10
namespace torch {
using namespace at;
using c10::Device; using c10::optional; using c10::nullopt;
using c10::DeviceType;
namespace cuda { using namespace at::cuda; }
inline c10::TensorOptions dtype(c10::ScalarType type) { return type; }
inline c10::TensorOptions device(c10::Device where) { return where; }
inline c10::TensorOptions TensorOptionsOf() { return {}; }
}  // namespace torch

#define TORCH_CHECK(condition, ...)                                                                     \
  do {                                                                                                  \
    if (!(condition)) throw ::c10::Error(::c10::words("check failed: " #condition " ", ##__VA_ARGS__)); \
  } while (0)
#define TORCH_INTERNAL_ASSERT TORCH_CHECK
#define AT_ASSERTM TORCH_CHECK
#define AT_ASSERT TORCH_CHECK
#define TORCH_CHECK_EQ(a, b) TORCH_CHECK((a) == (b))
#define AT_ERROR(...) throw ::c10::Error(::c10::words(__VA_ARGS__))
#define C10_CUDA_CHECK(expression)                                                                     \
  do {                                                                                                 \
    const cudaError_t akgflow_error = (expression);                                                    \
    if (akgflow_error != cudaSuccess) throw ::c10::Error(cudaGetErrorString(akgflow_error));           \
  } while (0)
#define AT_CUDA_CHECK C10_CUDA_CHECK
#define C10_CUDA_KERNEL_LAUNCH_CHECK() C10_CUDA_CHECK(cudaGetLastError())

#define AKGFLOW_CASE(name, type_, ...)                   \
  case ::c10::ScalarType::name: {                        \
    using scalar_t [[maybe_unused]] = type_;             \
    return __VA_ARGS__();                                \
  }
#define AKGFLOW_SWITCH(type_, what, cases)                                                                  \
  [&] {                                                                                                     \
    const auto akgflow_type = (type_);                                                                      \
    switch (akgflow_type) {                                                                                 \
      cases default : throw ::c10::Error(::c10::words(what, " not implemented for ", akgflow_type));        \
    }                                                                                                       \
  }()
#define AKGFLOW_FLOATING(...) AKGFLOW_CASE(Float, float, __VA_ARGS__) AKGFLOW_CASE(Double, double, __VA_ARGS__)
#define AKGFLOW_INTEGRAL(...)                                                          \
  AKGFLOW_CASE(Byte, uint8_t, __VA_ARGS__) AKGFLOW_CASE(Char, int8_t, __VA_ARGS__)     \
  AKGFLOW_CASE(Short, int16_t, __VA_ARGS__) AKGFLOW_CASE(Int, int, __VA_ARGS__) AKGFLOW_CASE(Long, int64_t, __VA_ARGS__)
#define AKGFLOW_HALF(...) AKGFLOW_CASE(Half, ::c10::Half, __VA_ARGS__)
#define AKGFLOW_BFLOAT(...) AKGFLOW_CASE(BFloat16, ::c10::BFloat16, __VA_ARGS__)
#define AT_DISPATCH_FLOATING_TYPES(type_, what, ...) AKGFLOW_SWITCH(type_, what, AKGFLOW_FLOATING(__VA_ARGS__))
#define AT_DISPATCH_FLOATING_TYPES_AND_HALF(type_, what, ...) \
  AKGFLOW_SWITCH(type_, what, AKGFLOW_FLOATING(__VA_ARGS__) AKGFLOW_HALF(__VA_ARGS__))
// The further types of the next two are Half and BFloat16 in practice: both are covered, whichever is named.
#define AT_DISPATCH_FLOATING_TYPES_AND(extra, type_, what, ...) \
  AKGFLOW_SWITCH(type_, what, AKGFLOW_FLOATING(__VA_ARGS__) AKGFLOW_HALF(__VA_ARGS__) AKGFLOW_BFLOAT(__VA_ARGS__))
#define AT_DISPATCH_FLOATING_TYPES_AND2(one, two, type_, what, ...) \
  AT_DISPATCH_FLOATING_TYPES_AND(one, type_, what, __VA_ARGS__)
#define AT_DISPATCH_INTEGRAL_TYPES(type_, what, ...) AKGFLOW_SWITCH(type_, what, AKGFLOW_INTEGRAL(__VA_ARGS__))
#define AT_DISPATCH_ALL_TYPES(type_, what, ...) \
  AKGFLOW_SWITCH(type_, what, AKGFLOW_FLOATING(__VA_ARGS__) AKGFLOW_INTEGRAL(__VA_ARGS__))

#include "binding.h"
