// Tensors: addresses with shapes. What makes or views one is asked of Python, where PyTorch itself does it.
#pragma once
#include "values.h"

namespace at {
using c10::ArrayRef; using c10::BFloat16; using c10::Device; using c10::DeviceType; using c10::Half;
using c10::Float8_e4m3fn; using c10::Float8_e5m2;
using c10::IntArrayRef; using c10::Layout; using c10::MemoryFormat; using c10::ScalarType; using c10::TensorOptions;
using c10::ceil_div; using c10::elementSize; using c10::isFloatingType; using c10::isIntegralType; using c10::toString;
constexpr DeviceType kCUDA = DeviceType::CUDA, kCPU = DeviceType::CPU;
constexpr Layout kStrided = Layout::Strided;
constexpr ScalarType kByte = ScalarType::Byte, kUInt8 = kByte, kChar = ScalarType::Char, kInt8 = kChar,
    kShort = ScalarType::Short, kInt16 = kShort, kInt = ScalarType::Int, kInt32 = kInt, kLong = ScalarType::Long,
    kInt64 = kLong, kHalf = ScalarType::Half, kFloat16 = kHalf, kFloat = ScalarType::Float, kFloat32 = kFloat,
    kDouble = ScalarType::Double, kFloat64 = kDouble, kBool = ScalarType::Bool, kBFloat16 = ScalarType::BFloat16,
    kFloat8_e4m3fn = ScalarType::Float8_e4m3fn, kFloat8_e5m2 = ScalarType::Float8_e5m2;

template <class T> struct DefaultPtrTraits { using PtrType = T*; };
template <class T> struct RestrictPtrTraits { using PtrType = T* __restrict__; };

// An address with sizes and strides; packed, it holds them itself and a kernel can take it by value.
template <class T, int N, class Index>
struct akgflow_row {
  T* from;
  const Index *sizes_, *strides_;
  AKGFLOW_BOTH decltype(auto) operator[](Index i) const {
    if constexpr (N == 1) return (from[i * strides_[0]]);
    else return akgflow_row<T, N - 1, Index>{from + i * strides_[0], sizes_ + 1, strides_ + 1};
  }
  AKGFLOW_BOTH Index size(int i) const { return sizes_[i]; }
  AKGFLOW_BOTH Index stride(int i) const { return strides_[i]; }
  AKGFLOW_BOTH T* data() const { return from; }
};
template <class T, size_t N, template <class> class Traits = DefaultPtrTraits, class Index = int64_t>
struct GenericPackedTensorAccessor {
  T* from;
  Index sizes_[N], strides_[N];
  AKGFLOW_BOTH Index size(int i) const { return sizes_[i]; }
  AKGFLOW_BOTH Index stride(int i) const { return strides_[i]; }
  AKGFLOW_BOTH T* data() const { return from; }
  AKGFLOW_BOTH decltype(auto) operator[](Index i) const { return akgflow_row<T, N, Index>{from, sizes_, strides_}[i]; }
};
template <class T, size_t N, template <class> class Traits = DefaultPtrTraits>
using PackedTensorAccessor32 = GenericPackedTensorAccessor<T, N, Traits, int32_t>;
template <class T, size_t N, template <class> class Traits = DefaultPtrTraits>
using PackedTensorAccessor64 = GenericPackedTensorAccessor<T, N, Traits, int64_t>;
template <class T, size_t N, template <class> class Traits = DefaultPtrTraits, class Index = int64_t>
using PackedTensorAccessor = GenericPackedTensorAccessor<T, N, Traits, Index>;
template <class T, size_t N> using TensorAccessor = akgflow_row<T, N, int64_t>;

// A number of a type that is known when the program runs.
struct Scalar {
  akgflow::Value v = akgflow::value('i');
  Scalar() = default;
  template <class T, class = std::enable_if_t<std::is_arithmetic<T>::value>>
  Scalar(T given) : v(std::is_same<T, bool>::value   ? akgflow::value('b', int64_t(given))
                      : std::is_integral<T>::value   ? akgflow::value('i', int64_t(given))
                                                     : akgflow::value('d', 0, double(given))) {}
  Scalar(Half given) : Scalar(float(given)) {}
  Scalar(BFloat16 given) : Scalar(float(given)) {}
  template <class T> T to() const { return v.kind == 'd' ? T(v.real) : T(v.integer); }
  double toDouble() const { return to<double>(); }
  float toFloat() const { return to<float>(); }
  int toInt() const { return to<int>(); }
  int64_t toLong() const { return to<int64_t>(); }
  bool toBool() const { return to<bool>(); }
  bool isFloatingPoint() const { return v.kind == 'd'; }
};

class Tensor;
using TensorList = ArrayRef<Tensor>;
using ITensorListRef = TensorList;
}  // namespace at

namespace akgflow {
using Values = std::vector<Value>;
void give(Values& out, const at::Tensor& t);
inline void give(Values& out, std::nullopt_t) { out.push_back(value('n')); }
inline void give(Values& out, std::nullptr_t) { out.push_back(value('n')); }
inline void give(Values& out, bool v) { out.push_back(value('b', v)); }
template <class T, std::enable_if_t<std::is_integral<T>::value && !std::is_same<T, bool>::value, int> = 0>
void give(Values& out, T v) { out.push_back(value('i', int64_t(v))); }
template <class T, std::enable_if_t<std::is_floating_point<T>::value, int> = 0>
void give(Values& out, T v) { out.push_back(value('d', 0, double(v))); }
inline void give(Values& out, c10::Half v) { give(out, float(v)); }
inline void give(Values& out, c10::BFloat16 v) { give(out, float(v)); }
inline void give(Values& out, const at::Scalar& v) { out.push_back(v.v); }
inline void give(Values& out, const char* v) { out.push_back(value('s', 0, 0, v)); }
inline void give(Values& out, const std::string& v) {
  static std::map<std::string, bool> kept;
  give(out, kept.emplace(v, true).first->first.c_str());
}
inline void give(Values& out, c10::ScalarType v) { out.push_back(value('y', int64_t(v))); }
inline void give(Values& out, c10::detail::TypeMeta v) { give(out, v.type); }
inline void give(Values& out, const c10::Device& v) { out.push_back(value('D', v.is_cpu())); }
inline void give(Values& out, c10::DeviceType v) { give(out, c10::Device(v)); }
inline void give(Values& out, c10::MemoryFormat v) {
  out.push_back(value('k', 0, 0, "memory_format"));
  out.push_back(value('m', int64_t(v)));
}
inline void give(Values& out, const c10::TensorOptions& o) {
  if (o.typed) out.push_back(value('k', 0, 0, "dtype")), give(out, o.type);
  out.push_back(value('k', 0, 0, "device"));
  give(out, o.where);
}
template <class T> void give(Values& out, c10::ArrayRef<T> all) {
  out.push_back(value('l', int64_t(all.size())));
  for (const T& one : all) give(out, one);
}
template <class T, class A> void give(Values& out, const std::vector<T, A>& all) {
  out.push_back(value('l', int64_t(all.size())));
  for (const auto& one : all) give(out, T(one));
}
template <class T, size_t N> void give(Values& out, const std::array<T, N>& all) { give(out, c10::ArrayRef<T>(all)); }
template <class T> void give(Values& out, const std::optional<T>& v) {
  if (v) give(out, *v);
  else give(out, std::nullopt);
}
template <class... T> void give(Values& out, const std::tuple<T...>& all) {
  out.push_back(value('u', int64_t(sizeof...(T))));
  std::apply([&](const auto&... one) { (give(out, one), ...); }, all);
}
template <class A, class B> void give(Values& out, const std::pair<A, B>& both) {
  give(out, std::tie(both.first, both.second));
}
template <class... A> Values did(const char* name, const A&... args) {
  Values given;
  (give(given, args), ...);
  return ask(name, given);
}
}  // namespace akgflow

// Members and functions that give one tensor, and those that give several.
#define AKGFLOW_MEMBERS(_)                                                                                       \
  _(view_as) _(reshape_as) _(unflatten) _(t) _(slice) _(select) _(narrow) _(unsqueeze) _(expand_as) _(clone)      \
  _(detach) _(cuda) _(cpu) _(toType) _(fill_) _(zero_) _(copy_) _(add_) _(sub_) _(mul_) _(div_) _(clamp_)         \
  _(relu_) _(masked_fill_) _(index_fill_) _(index_copy_) _(scatter_) _(scatter_add_) _(masked_fill) _(type_as)    \
  _(resize_) _(normal_) _(uniform_) _(set_requires_grad) _(pin_memory) _(diagonal) _(unfold) _(select_scatter)
#define AKGFLOW_BOTH_WAYS(_)                                                                                     \
  _(flatten) _(transpose) _(permute) _(squeeze) _(movedim) _(swapaxes) _(sum) _(mean) _(prod) _(amax) _(amin)     \
  _(argmax) _(argmin) _(abs) _(neg) _(sqrt) _(rsqrt) _(exp) _(log) _(add) _(sub) _(mul) _(div) _(pow) _(matmul)   \
  _(mm) _(bmm) _(mv) _(dot) _(addmm) _(any) _(all) _(eq) _(ne) _(gt) _(ge) _(lt) _(le) _(cumsum) _(cumprod)       \
  _(softmax) _(log_softmax) _(relu) _(sigmoid) _(tanh) _(clamp) _(where) _(gather) _(index_select) _(nonzero)     \
  _(argsort) _(norm) _(var) _(std) _(flip) _(roll) _(repeat_interleave) _(bincount) _(isnan) _(isinf) _(round)    \
  _(floor) _(ceil) _(triu) _(tril) _(logical_not) _(logical_and) _(logical_or) _(reciprocal) _(erf) _(count_nonzero)
#define AKGFLOW_FUNCTIONS(_)                                                                                     \
  _(cat) _(concat) _(stack) _(linear) _(gelu) _(silu) _(layer_norm) _(conv1d) _(conv2d) _(conv3d) _(linspace)     \
  _(eye) _(scalar_tensor) _(rand) _(randn) _(randint) _(randperm) _(rand_like) _(randn_like) _(einsum) _(baddbmm) \
  _(max_pool2d) _(avg_pool2d) _(embedding) _(one_hot) _(bernoulli) _(maximum) _(minimum) _(outer) _(constant_pad_nd)
#define AKGFLOW_SEVERAL(_) _(chunk) _(split) _(split_with_sizes) _(unbind) _(tensor_split)

namespace at {
struct DeprecatedTypeProperties {
  ScalarType type;
  Device where;
  operator ScalarType() const { return type; }
  ScalarType scalarType() const { return type; }
  bool is_cuda() const { return where.is_cuda(); }
  const char* toString() const { return c10::toString(type); }
  bool operator==(const DeprecatedTypeProperties& o) const { return type == o.type && where == o.where; }
  bool operator!=(const DeprecatedTypeProperties& o) const { return !(*this == o); }
};

class Tensor {
 public:
  akgflow::Info info{nullptr, 0, -1, {}, {}, 0, 0};
  Tensor() = default;
  explicit Tensor(const akgflow::Info& info) : info(info), held_(akgflow::hold(info.handle)) {}
  bool defined() const { return info.dims >= 0; }
  void reset() { *this = Tensor(); }
  int64_t dim() const { return info.dims; }
  int64_t ndimension() const { return info.dims; }
  int64_t size(int64_t i) const { return info.sizes[place(i)]; }
  int64_t stride(int64_t i) const { return info.strides[place(i)]; }
  IntArrayRef sizes() const { return {akgflow::lasting(info).sizes, size_t(info.dims)}; }
  IntArrayRef strides() const { return {akgflow::lasting(info).strides, size_t(info.dims)}; }
  int64_t numel() const {
    int64_t n = 1;
    for (int64_t i = 0; i < info.dims; ++i) n *= info.sizes[i];
    return n;
  }
  size_t nbytes() const { return size_t(numel() * element_size()); }
  int64_t element_size() const { return c10::elementSize(scalar_type()); }
  int64_t itemsize() const { return element_size(); }
  ScalarType scalar_type() const { return ScalarType(info.type); }
  c10::detail::TypeMeta dtype() const { return {scalar_type()}; }
  DeprecatedTypeProperties type() const { return {scalar_type(), device()}; }
  Device device() const { return info.cpu ? DeviceType::CPU : DeviceType::CUDA; }
  TensorOptions options() const { return TensorOptions(scalar_type()).device(device()); }
  // `o` with this tensor's type and device where it names none.
  TensorOptions like_mine(const TensorOptions& o) const {
    return TensorOptions(o.typed ? o.type : scalar_type()).device(o.placed ? o.where : device());
  }
  bool is_cuda() const { return !info.cpu; }
  bool is_cpu() const { return info.cpu; }
  bool is_floating_point() const { return c10::isFloatingType(scalar_type()); }
  bool is_complex() const { return false; }
  bool is_sparse() const { return false; }
  bool is_leaf() const { return true; }
  bool requires_grad() const { return false; }
  bool is_same(const Tensor& o) const { return info.handle == o.info.handle; }
  int64_t get_device() const { return device().index(); }
  Layout layout() const { return kStrided; }
  bool is_non_overlapping_and_dense() const { return is_contiguous(); }
  bool is_contiguous(MemoryFormat format = MemoryFormat::Contiguous) const {
    if (format != MemoryFormat::Contiguous) return akgflow::did("is_contiguous", *this, format)[0].integer;
    int64_t expected = 1;
    for (int64_t i = info.dims - 1; i >= 0; --i) {
      if (info.sizes[i] != 1 && info.strides[i] != expected) return numel() == 0;
      expected *= info.sizes[i];
    }
    return true;
  }
  MemoryFormat suggest_memory_format() const { return MemoryFormat::Contiguous; }
  void* data_ptr() const { return info.data; }
  void* mutable_data_ptr() const { return info.data; }
  const void* const_data_ptr() const { return info.data; }
  template <class T> T* data_ptr() const {
    constexpr ScalarType wanted = c10::CppTypeToScalarType<std::remove_cv_t<T>>::value;
    if (wanted != scalar_type()) {
      throw c10::Error(c10::str("expected scalar type ", wanted, " but found ", scalar_type()));
    }
    return static_cast<T*>(info.data);
  }
  template <class T> T* data() const { return data_ptr<T>(); }
  template <class T> T* mutable_data_ptr() const { return data_ptr<T>(); }
  template <class T> const std::remove_const_t<T>* const_data_ptr() const { return data_ptr<const T>(); }
  Tensor contiguous() const { return is_contiguous() ? *this : op("contiguous"); }
  Tensor contiguous(MemoryFormat format) const { return op("contiguous", format); }
  Tensor view(IntArrayRef shape) const { return op("view", shape); }
  Tensor view(ScalarType type) const { return op("view", type); }
  Tensor reshape(IntArrayRef shape) const { return op("reshape", shape); }
  Tensor expand(IntArrayRef shape) const { return op("expand", shape); }
  Tensor repeat(IntArrayRef times) const { return op("repeat", times); }
  Tensor permute(IntArrayRef order) const { return op("permute", order); }
  Tensor as_strided(IntArrayRef sizes, IntArrayRef strides, int64_t offset = 0) const {
    return op("as_strided", sizes, strides, offset);
  }
  Tensor new_empty(IntArrayRef sizes, TensorOptions o = {}) const { return op("new_empty", sizes, like_mine(o)); }
  Tensor new_zeros(IntArrayRef sizes, TensorOptions o = {}) const { return op("new_zeros", sizes, like_mine(o)); }
  Tensor new_ones(IntArrayRef sizes, TensorOptions o = {}) const { return op("new_ones", sizes, like_mine(o)); }
  Tensor new_full(IntArrayRef sizes, Scalar value, TensorOptions o = {}) const {
    return op("new_full", sizes, value, like_mine(o));
  }
  Tensor sum(IntArrayRef dims, bool keep = false) const { return op("sum", dims, keep); }
  Tensor mean(IntArrayRef dims, bool keep = false) const { return op("mean", dims, keep); }
  Tensor to(const TensorOptions& o) const {
    const auto wanted = like_mine(o);
    return op("to_options", wanted.where, wanted.type);
  }
  template <class... A> Tensor to(ScalarType type, const A&...) const { return to(TensorOptions(type)); }
  template <class... A> Tensor to(Device where, const A&...) const { return to(TensorOptions(where)); }
  Tensor to(Device where, ScalarType type, bool = false, bool = false) const {
    return to(TensorOptions(type).device(where));
  }
  Tensor to(const Tensor& like) const { return to(like.options()); }
  Tensor operator[](int64_t i) const { return op("select", int64_t(0), i); }
  Scalar item() const {
    Scalar found;
    found.v = akgflow::did("item", *this)[0];
    return found;
  }
  template <class T> T item() const { return item().to<T>(); }
  template <class... A> auto max(const A&... a) const { return one_or_two("max", a...); }
  template <class... A> auto min(const A&... a) const { return one_or_two("min", a...); }
  template <class... A> std::tuple<Tensor, Tensor> topk(const A&... a) const { return two("topk", a...); }
  template <class... A> std::tuple<Tensor, Tensor> sort(const A&... a) const { return two("sort", a...); }
#define AKGFLOW_MEMBER(name) template <class... A> Tensor name(const A&... a) const { return op(#name, a...); }
  AKGFLOW_MEMBERS(AKGFLOW_MEMBER) AKGFLOW_BOTH_WAYS(AKGFLOW_MEMBER)
#undef AKGFLOW_MEMBER
#define AKGFLOW_MEMBER(name) template <class... A> std::vector<Tensor> name(const A&... a) const { return ops(#name, a...); }
  AKGFLOW_SEVERAL(AKGFLOW_MEMBER)
#undef AKGFLOW_MEMBER
  Tensor& operator+=(const Tensor& o) { add_(o); return *this; }
  Tensor& operator-=(const Tensor& o) { sub_(o); return *this; }
  Tensor& operator*=(const Tensor& o) { mul_(o); return *this; }
  Tensor& operator/=(const Tensor& o) { div_(o); return *this; }
  Tensor& operator+=(Scalar o) { add_(o); return *this; }
  Tensor& operator-=(Scalar o) { sub_(o); return *this; }
  Tensor& operator*=(Scalar o) { mul_(o); return *this; }
  Tensor& operator/=(Scalar o) { div_(o); return *this; }
  template <class T, size_t N> TensorAccessor<T, N> accessor() const {
    expect_dims(N);
    return {data_ptr<T>(), akgflow::lasting(info).sizes, akgflow::lasting(info).strides};
  }
  template <class T, size_t N, template <class> class Traits = DefaultPtrTraits, class Index = int64_t>
  GenericPackedTensorAccessor<T, N, Traits, Index> generic_packed_accessor() const {
    expect_dims(N);
    GenericPackedTensorAccessor<T, N, Traits, Index> made{data_ptr<T>(), {}, {}};
    for (size_t i = 0; i < N; ++i) made.sizes_[i] = Index(size(i)), made.strides_[i] = Index(stride(i));
    return made;
  }
  template <class T, size_t N, template <class> class Traits = DefaultPtrTraits, class Index = int64_t>
  auto packed_accessor() const { return generic_packed_accessor<T, N, Traits, Index>(); }
  template <class T, size_t N, template <class> class Traits = DefaultPtrTraits>
  auto packed_accessor32() const { return generic_packed_accessor<T, N, Traits, int32_t>(); }
  template <class T, size_t N, template <class> class Traits = DefaultPtrTraits>
  auto packed_accessor64() const { return generic_packed_accessor<T, N, Traits, int64_t>(); }

 private:
  std::shared_ptr<void> held_;
  template <class... A> Tensor op(const char* name, const A&... a) const {
    return Tensor(akgflow::did(name, *this, a...)[0].tensor);
  }
  template <class... A> std::vector<Tensor> ops(const char* name, const A&... a) const {
    std::vector<Tensor> found;
    for (const auto& v : akgflow::did(name, *this, a...)) if (v.kind == 't') found.emplace_back(v.tensor);
    return found;
  }
  template <class... A> std::tuple<Tensor, Tensor> two(const char* name, const A&... a) const {
    const auto found = ops(name, a...);
    return {found.at(0), found.at(1)};
  }
  template <class... A> auto one_or_two(const char* name, const A&... a) const {
    if constexpr (sizeof...(A) == 0) return op(name);
    else if constexpr (std::is_same<std::tuple_element_t<0, std::tuple<A...>>, Tensor>::value) return op(name, a...);
    else return two(name, a...);
  }
  void expect_dims(size_t n) const {
    if (dim() != int64_t(n)) throw c10::Error(c10::str("expected ", n, " dims but tensor has ", dim()));
  }
  int64_t place(int64_t i) const {
    if (i < -info.dims || i >= info.dims) throw c10::Error(c10::str("dimension ", i, " of a tensor of ", info.dims));
    return i < 0 ? i + info.dims : i;
  }
};
inline std::ostream& operator<<(std::ostream& out, const Tensor& t) { return out << t.scalar_type() << t.sizes(); }
inline Device device_of(const Tensor& t) { return t.device(); }

// Functions that make tensors. Those without a device are on the CPU, as PyTorch has it.
template <class... A> Tensor akgflow_made(const char* name, const A&... a) { return Tensor(akgflow::did(name, a...)[0].tensor); }
inline Tensor empty(IntArrayRef sizes, TensorOptions o = {}) { return akgflow_made("empty", sizes, o); }
inline Tensor empty(IntArrayRef sizes, TensorOptions o, MemoryFormat f) { return akgflow_made("empty", sizes, o, f); }
inline Tensor empty_strided(IntArrayRef sizes, IntArrayRef strides, TensorOptions o = {}) {
  return akgflow_made("empty_strided", sizes, strides, o);
}
inline Tensor zeros(IntArrayRef sizes, TensorOptions o = {}) { return akgflow_made("zeros", sizes, o); }
inline Tensor ones(IntArrayRef sizes, TensorOptions o = {}) { return akgflow_made("ones", sizes, o); }
inline Tensor full(IntArrayRef sizes, Scalar value, TensorOptions o = {}) { return akgflow_made("full", sizes, value, o); }
inline Tensor arange(Scalar end, TensorOptions o = {}) { return akgflow_made("arange", end, o); }
inline Tensor arange(Scalar begin, Scalar end, TensorOptions o = {}) { return akgflow_made("arange", begin, end, o); }
inline Tensor arange(Scalar begin, Scalar end, Scalar step, TensorOptions o = {}) {
  return akgflow_made("arange", begin, end, step, o);
}
#define AKGFLOW_LIKE(name)                                                                               \
  inline Tensor name(const Tensor& t) { return akgflow_made(#name, t); }                                         \
  inline Tensor name(const Tensor& t, MemoryFormat f) { return akgflow_made(#name, t, f); }                      \
  inline Tensor name(const Tensor& t, TensorOptions o) {                                                 \
    return akgflow_made(#name, t, t.like_mine(o));                                                               \
  }                                                                                                      \
  inline Tensor name(const Tensor& t, TensorOptions o, MemoryFormat) { return name(t, o); }
AKGFLOW_LIKE(empty_like) AKGFLOW_LIKE(zeros_like) AKGFLOW_LIKE(ones_like)
#undef AKGFLOW_LIKE
inline Tensor full_like(const Tensor& t, Scalar value) { return akgflow_made("full_like", t, value); }
inline Tensor full_like(const Tensor& t, Scalar value, TensorOptions o) { return akgflow_made("full_like", t, value, o); }
template <class T> Tensor tensor(const std::vector<T>& values, TensorOptions o) { return akgflow_made("tensor", values, o); }
template <class T> Tensor tensor(const std::vector<T>& values) {
  return akgflow_made("tensor", values, TensorOptions(c10::CppTypeToScalarType<T>::value));
}
template <class T> Tensor tensor(std::initializer_list<T> v, TensorOptions o) { return tensor(std::vector<T>(v), o); }
template <class T> Tensor tensor(std::initializer_list<T> v) { return tensor(std::vector<T>(v)); }
template <class T> Tensor tensor(ArrayRef<T> v, TensorOptions o = {}) { return tensor(v.vec(), o); }
inline Tensor tensor(Scalar v, TensorOptions o) { return akgflow_made("tensor", v, o); }
inline Tensor tensor(Scalar v) { return akgflow_made("tensor", v, TensorOptions()); }
template <class T, class... A> Tensor from_blob(T*, const A&...) {
  throw akgflow::Absent("from_blob: memory of the host's own is not a tensor without PyTorch");
}
#define AKGFLOW_FUNCTION(name) template <class... A> Tensor name(const A&... a) { return akgflow_made(#name, a...); }
AKGFLOW_FUNCTIONS(AKGFLOW_FUNCTION)
#undef AKGFLOW_FUNCTION
inline Tensor cat(TensorList all, int64_t dim = 0) { return akgflow_made("cat", all, dim); }
inline Tensor stack(TensorList all, int64_t dim = 0) { return akgflow_made("stack", all, dim); }
#define AKGFLOW_FUNCTION(name) template <class... A> Tensor name(const Tensor& t, const A&... a) { return t.name(a...); }
AKGFLOW_BOTH_WAYS(AKGFLOW_FUNCTION)
#undef AKGFLOW_FUNCTION
#define AKGFLOW_FUNCTION(name) \
  template <class... A> std::vector<Tensor> name(const Tensor& t, const A&... a) { return t.name(a...); }
AKGFLOW_SEVERAL(AKGFLOW_FUNCTION)
#undef AKGFLOW_FUNCTION
template <class... A> auto max(const Tensor& t, const A&... a) { return t.max(a...); }
template <class... A> auto min(const Tensor& t, const A&... a) { return t.min(a...); }
template <class... A> auto topk(const Tensor& t, const A&... a) { return t.topk(a...); }
template <class... A> auto sort(const Tensor& t, const A&... a) { return t.sort(a...); }
#define AKGFLOW_OPERATOR(sign, name)                                                                     \
  inline Tensor operator sign(const Tensor& a, const Tensor& b) { return a.name(b); }                    \
  inline Tensor operator sign(const Tensor& a, Scalar b) { return a.name(b); }
AKGFLOW_OPERATOR(+, add) AKGFLOW_OPERATOR(-, sub) AKGFLOW_OPERATOR(*, mul) AKGFLOW_OPERATOR(/, div)
AKGFLOW_OPERATOR(==, eq) AKGFLOW_OPERATOR(!=, ne) AKGFLOW_OPERATOR(<, lt) AKGFLOW_OPERATOR(>, gt)
AKGFLOW_OPERATOR(<=, le) AKGFLOW_OPERATOR(>=, ge)
#undef AKGFLOW_OPERATOR
inline Tensor operator+(Scalar a, const Tensor& b) { return b + a; }
inline Tensor operator*(Scalar a, const Tensor& b) { return b * a; }
inline Tensor operator-(const Tensor& a) { return a.neg(); }
}  // namespace at

namespace akgflow {
inline void give(Values& out, const at::Tensor& t) {
  out.push_back(value(t.defined() ? 't' : 'n'));
  out.back().tensor = t.info;
}
}  // namespace akgflow
