// Element types, devices, options and lists of sizes, as PyTorch names them.
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>
#include <cuda_runtime.h>

// Of the standard library all that PyTorch's own headers include: host code relies on it.
#include <algorithm>
#include <array>
#include <bitset>
#include <cassert>
#include <climits>
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <functional>
#include <initializer_list>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <queue>
#include <set>
#include <sstream>
#include <stack>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#define AKGFLOW_BOTH __host__ __device__

namespace c10 {
#define AKGFLOW_SMALL_FLOAT(name, word, native, to_native, to_float, as_bits, of_bits)                  \
  struct alignas(sizeof(word)) name {                                                                   \
    word x;                                                                                             \
    struct from_bits_t {};                                                                              \
    static constexpr AKGFLOW_BOTH from_bits_t from_bits() { return {}; }                                \
    name() = default;                                                                                   \
    constexpr AKGFLOW_BOTH name(word bits, from_bits_t) : x(bits) {}                                    \
    AKGFLOW_BOTH name(float v) : x(as_bits(to_native(v))) {}                                            \
    AKGFLOW_BOTH name(const native& v) : x(as_bits(v)) {}                                               \
    AKGFLOW_BOTH operator float() const { return to_float(of_bits(x)); }                                \
    AKGFLOW_BOTH explicit operator native() const { return of_bits(x); }                                \
    AKGFLOW_BOTH name& operator+=(const name& o) { return *this = name(float(*this) + float(o)); }      \
    AKGFLOW_BOTH name& operator-=(const name& o) { return *this = name(float(*this) - float(o)); }      \
    AKGFLOW_BOTH name& operator*=(const name& o) { return *this = name(float(*this) * float(o)); }      \
    AKGFLOW_BOTH name& operator/=(const name& o) { return *this = name(float(*this) / float(o)); }      \
  };                                                                                                    \
  inline AKGFLOW_BOTH name operator+(const name& a, const name& b) { return float(a) + float(b); }      \
  inline AKGFLOW_BOTH name operator-(const name& a, const name& b) { return float(a) - float(b); }      \
  inline AKGFLOW_BOTH name operator*(const name& a, const name& b) { return float(a) * float(b); }      \
  inline AKGFLOW_BOTH name operator/(const name& a, const name& b) { return float(a) / float(b); }      \
  inline AKGFLOW_BOTH name operator-(const name& a) { return -float(a); }                               \
  AKGFLOW_MIXED(name, float) AKGFLOW_MIXED(name, double)                                                \
  AKGFLOW_MIXED_INTEGER(name, int) AKGFLOW_MIXED_INTEGER(name, int64_t)
#define AKGFLOW_MIXED(name, other)                                                                      \
  inline AKGFLOW_BOTH other operator+(const name& a, other b) { return float(a) + b; }                  \
  inline AKGFLOW_BOTH other operator-(const name& a, other b) { return float(a) - b; }                  \
  inline AKGFLOW_BOTH other operator*(const name& a, other b) { return float(a) * b; }                  \
  inline AKGFLOW_BOTH other operator/(const name& a, other b) { return float(a) / b; }                  \
  inline AKGFLOW_BOTH other operator+(other a, const name& b) { return a + float(b); }                  \
  inline AKGFLOW_BOTH other operator-(other a, const name& b) { return a - float(b); }                  \
  inline AKGFLOW_BOTH other operator*(other a, const name& b) { return a * float(b); }                  \
  inline AKGFLOW_BOTH other operator/(other a, const name& b) { return a / float(b); }
#define AKGFLOW_MIXED_INTEGER(name, other)                                                              \
  inline AKGFLOW_BOTH name operator+(const name& a, other b) { return a + name(float(b)); }             \
  inline AKGFLOW_BOTH name operator-(const name& a, other b) { return a - name(float(b)); }             \
  inline AKGFLOW_BOTH name operator*(const name& a, other b) { return a * name(float(b)); }             \
  inline AKGFLOW_BOTH name operator/(const name& a, other b) { return a / name(float(b)); }             \
  inline AKGFLOW_BOTH name operator+(other a, const name& b) { return name(float(a)) + b; }             \
  inline AKGFLOW_BOTH name operator-(other a, const name& b) { return name(float(a)) - b; }             \
  inline AKGFLOW_BOTH name operator*(other a, const name& b) { return name(float(a)) * b; }             \
  inline AKGFLOW_BOTH name operator/(other a, const name& b) { return name(float(a)) / b; }
AKGFLOW_SMALL_FLOAT(Half, unsigned short, __half, __float2half_rn, __half2float, __half_as_ushort, __ushort_as_half)
AKGFLOW_SMALL_FLOAT(BFloat16, unsigned short, __nv_bfloat16, __float2bfloat16_rn, __bfloat162float,
                    __bfloat16_as_ushort, __ushort_as_bfloat16)
// PyTorch's float8 do not saturate, as CUDA's do.
#define AKGFLOW_FLOAT8(name, native, FORM)                                                              \
  namespace detail {                                                                                    \
  inline AKGFLOW_BOTH native of_bits_##name(unsigned char bits) {                                       \
    native made;                                                                                        \
    made.__x = bits;                                                                                    \
    return made;                                                                                        \
  }                                                                                                     \
  inline AKGFLOW_BOTH native rounded_##name(float v) {                                                  \
    return of_bits_##name(__nv_cvt_float_to_fp8(v, __NV_NOSAT, FORM));                                  \
  }                                                                                                     \
  inline AKGFLOW_BOTH unsigned char bits_##name(const native& v) { return v.__x; }                      \
  }                                                                                                     \
  AKGFLOW_SMALL_FLOAT(name, unsigned char, native, detail::rounded_##name, float, detail::bits_##name,  \
                      detail::of_bits_##name)
AKGFLOW_FLOAT8(Float8_e4m3fn, __nv_fp8_e4m3, __NV_E4M3)
AKGFLOW_FLOAT8(Float8_e5m2, __nv_fp8_e5m2, __NV_E5M2)
#undef AKGFLOW_FLOAT8
#ifdef __CUDACC__
// The interpreter's take any type.
inline __device__ Half __ldg(const Half* from) { return ::__ldg(reinterpret_cast<const __half*>(from)); }
inline __device__ BFloat16 __ldg(const BFloat16* from) {
  return ::__ldg(reinterpret_cast<const __nv_bfloat16*>(from));
}
#endif

enum class ScalarType : int8_t { Byte, Char, Short, Int, Long, Half, Float, Double, ComplexHalf, ComplexFloat,
                                 ComplexDouble, Bool, BFloat16 = 15, Float8_e5m2 = 23, Float8_e4m3fn = 24, Undefined = 60 };
template <class T> struct CppTypeToScalarType;
template <ScalarType> struct ScalarTypeToCPPType;
#define AKGFLOW_SCALARS(_)                                                                              \
  _(uint8_t, Byte) _(int8_t, Char) _(int16_t, Short) _(int, Int) _(int64_t, Long) _(::c10::Half, Half)  \
  _(float, Float) _(double, Double) _(bool, Bool) _(::c10::BFloat16, BFloat16)                          \
  _(::c10::Float8_e4m3fn, Float8_e4m3fn) _(::c10::Float8_e5m2, Float8_e5m2)
#define AKGFLOW_SCALAR(t, name)                                                                                \
  template <> struct CppTypeToScalarType<t> { static constexpr ScalarType value = ScalarType::name; };         \
  template <> struct ScalarTypeToCPPType<ScalarType::name> { using type = t; };
AKGFLOW_SCALARS(AKGFLOW_SCALAR)
#undef AKGFLOW_SCALAR
template <ScalarType type> using ScalarTypeToCPPTypeT = typename ScalarTypeToCPPType<type>::type;
namespace impl { using c10::ScalarTypeToCPPType; using c10::ScalarTypeToCPPTypeT; }
template <> struct CppTypeToScalarType<__half> { static constexpr ScalarType value = ScalarType::Half; };
template <> struct CppTypeToScalarType<__nv_bfloat16> { static constexpr ScalarType value = ScalarType::BFloat16; };
template <> struct CppTypeToScalarType<long long> { static constexpr ScalarType value = ScalarType::Long; };
inline const char* toString(ScalarType type) {
  switch (type) {
#define AKGFLOW_SCALAR(t, name) case ScalarType::name: return #name;
    AKGFLOW_SCALARS(AKGFLOW_SCALAR)
#undef AKGFLOW_SCALAR
    default: return "an element type that is not known here";
  }
}
inline int64_t elementSize(ScalarType type) {
  switch (type) {
#define AKGFLOW_SCALAR(t, name) case ScalarType::name: return sizeof(t);
    AKGFLOW_SCALARS(AKGFLOW_SCALAR)
#undef AKGFLOW_SCALAR
    default: return 1;
  }
}
inline std::ostream& operator<<(std::ostream& out, ScalarType type) { return out << toString(type); }
inline bool isFloatingType(ScalarType t) {
  return t == ScalarType::Half || t == ScalarType::Float || t == ScalarType::Double || t == ScalarType::BFloat16 ||
         t == ScalarType::Float8_e4m3fn || t == ScalarType::Float8_e5m2;
}
inline bool isIntegralType(ScalarType t, bool with_bool = false) {
  return int(t) <= int(ScalarType::Long) || (with_bool && t == ScalarType::Bool);
}

using DeviceIndex = int8_t;
enum class DeviceType : int8_t { CPU, CUDA };
struct Device {
  DeviceType kind;
  Device(DeviceType kind = DeviceType::CUDA, int = 0) : kind(kind) {}
  Device(const std::string& name) : kind(name.rfind("cpu", 0) == 0 ? DeviceType::CPU : DeviceType::CUDA) {}
  Device(const char* name) : Device(std::string(name)) {}
  bool is_cuda() const { return kind == DeviceType::CUDA; }
  bool is_cpu() const { return kind == DeviceType::CPU; }
  DeviceType type() const { return kind; }
  DeviceIndex index() const { return is_cuda() ? 0 : -1; }
  bool has_index() const { return is_cuda(); }
  std::string str() const { return is_cuda() ? "cuda:0" : "cpu"; }
  bool operator==(const Device& o) const { return kind == o.kind; }
  bool operator!=(const Device& o) const { return kind != o.kind; }
};
inline std::ostream& operator<<(std::ostream& out, DeviceType kind) {
  return out << (kind == DeviceType::CUDA ? "cuda" : "cpu");
}
inline std::ostream& operator<<(std::ostream& out, const Device& where) { return out << where.str(); }
enum class MemoryFormat : int8_t { Contiguous, Preserve, ChannelsLast, ChannelsLast3d };
enum class Layout : int8_t { Strided };

// What `dtype()` gives: a type that can be compared with one.
namespace detail {
struct TypeMeta {
  ScalarType type;
  operator ScalarType() const { return type; }
  ScalarType toScalarType() const { return type; }
  size_t itemsize() const { return size_t(elementSize(type)); }
  const char* name() const { return toString(type); }
};
inline std::ostream& operator<<(std::ostream& out, const TypeMeta& meta) { return out << meta.type; }
}  // namespace detail
inline ScalarType typeMetaToScalarType(const detail::TypeMeta& meta) { return meta.type; }

template <class T>
struct ArrayRef {
  const T* from = nullptr;
  size_t length = 0;
  ArrayRef() = default;
  ArrayRef(const T* from, size_t length) : from(from), length(length) {}
  ArrayRef(const std::vector<T>& v) : from(v.data()), length(v.size()) {}
  ArrayRef(const std::initializer_list<T>& v) : from(v.begin()), length(v.size()) {}
  template <size_t N> ArrayRef(const std::array<T, N>& v) : from(v.data()), length(N) {}
  template <size_t N> ArrayRef(const T (&v)[N]) : from(v), length(N) {}
  const T* begin() const { return from; }
  const T* end() const { return from + length; }
  const T* data() const { return from; }
  size_t size() const { return length; }
  bool empty() const { return length == 0; }
  const T& operator[](size_t i) const { return from[i]; }
  const T& at(size_t i) const { return from[i]; }
  const T& front() const { return from[0]; }
  const T& back() const { return from[length - 1]; }
  ArrayRef slice(size_t first, size_t n) const { return {from + first, n}; }
  ArrayRef slice(size_t first) const { return {from + first, length - first}; }
  std::vector<T> vec() const { return {begin(), end()}; }
  bool equals(ArrayRef o) const { return length == o.length && std::equal(begin(), end(), o.begin()); }
};
template <class T> bool operator==(ArrayRef<T> a, ArrayRef<T> b) { return a.equals(b); }
template <class T> bool operator!=(ArrayRef<T> a, ArrayRef<T> b) { return !a.equals(b); }
template <class T> bool operator==(const std::vector<T>& a, ArrayRef<T> b) { return b.equals(a); }
template <class T> bool operator==(ArrayRef<T> a, const std::vector<T>& b) { return a.equals(b); }
template <class T> std::ostream& operator<<(std::ostream& out, ArrayRef<T> all) {
  out << "[";
  for (size_t i = 0; i < all.size(); ++i) out << (i ? ", " : "") << all[i];
  return out << "]";
}
using IntArrayRef = ArrayRef<int64_t>;
using std::nullopt; using std::nullopt_t; using std::in_place; using std::make_optional;
template <class T> using optional = std::optional<T>;
using string_view = std::string_view;
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
  const char* what_without_backtrace() const { return what(); }
  std::string msg() const { return what(); }
};

struct TensorOptions {
  ScalarType type = ScalarType::Float;
  Device where = DeviceType::CPU;
  bool typed = false, placed = false;
  TensorOptions() = default;
  TensorOptions(ScalarType type) : type(type), typed(true) {}
  TensorOptions(detail::TypeMeta meta) : TensorOptions(meta.type) {}
  TensorOptions(Device where) : where(where), placed(true) {}
  TensorOptions(DeviceType kind) : TensorOptions(Device(kind)) {}
  TensorOptions(const char* device) : TensorOptions(Device(device)) {}
  TensorOptions(MemoryFormat) {}
  TensorOptions dtype(ScalarType t) const { auto o = *this; o.type = t; o.typed = true; return o; }
  detail::TypeMeta dtype() const { return {type}; }
  TensorOptions device(Device d) const { auto o = *this; o.where = d; o.placed = true; return o; }
  TensorOptions device(DeviceType kind, int) const { return device(Device(kind)); }
  TensorOptions device_index(int) const { return device(DeviceType::CUDA); }
  Device device() const { return where; }
  TensorOptions requires_grad(bool) const { return *this; }
  TensorOptions pinned_memory(bool) const { return *this; }
  template <class T> TensorOptions layout(T) const { return *this; }
  template <class T> TensorOptions memory_format(T) const { return *this; }
};

inline std::ostream& operator<<(std::ostream& out, std::nullopt_t) { return out << "None"; }
template <class... Args>
std::string str(const Args&... args) {
  std::ostringstream out;
  ((out << args), ...);
  return out.str();
}
template <class A, class B>
AKGFLOW_BOTH constexpr auto ceil_div(A a, B b) { return (a + b - 1) / b; }
}  // namespace c10

#define AKGFLOW_LIMITS(name, lowest_, max_, min_, epsilon_, infinity_, nan_)                                  \
  template <> class std::numeric_limits<c10::name> {                                                          \
   public:                                                                                                    \
    static constexpr bool is_specialized = true, is_signed = true, is_integer = false, has_infinity = true;   \
    static constexpr auto bits = c10::name::from_bits();                                                      \
    static constexpr AKGFLOW_BOTH c10::name lowest() { return {lowest_, c10::name::from_bits()}; }            \
    static constexpr AKGFLOW_BOTH c10::name max() { return {max_, c10::name::from_bits()}; }                  \
    static constexpr AKGFLOW_BOTH c10::name min() { return {min_, c10::name::from_bits()}; }                  \
    static constexpr AKGFLOW_BOTH c10::name epsilon() { return {epsilon_, c10::name::from_bits()}; }          \
    static constexpr AKGFLOW_BOTH c10::name infinity() { return {infinity_, c10::name::from_bits()}; }        \
    static constexpr AKGFLOW_BOTH c10::name quiet_NaN() { return {nan_, c10::name::from_bits()}; }            \
  };
AKGFLOW_LIMITS(Half, 0xFBFF, 0x7BFF, 0x0400, 0x1400, 0x7C00, 0x7E00)
AKGFLOW_LIMITS(BFloat16, 0xFF7F, 0x7F7F, 0x0080, 0x3C00, 0x7F80, 0x7FC0)
AKGFLOW_LIMITS(Float8_e4m3fn, 0xFE, 0x7E, 0x08, 0x20, 0x7F, 0x7F)
AKGFLOW_LIMITS(Float8_e5m2, 0xFB, 0x7B, 0x04, 0x34, 0x7C, 0x7E)
#undef AKGFLOW_LIMITS
