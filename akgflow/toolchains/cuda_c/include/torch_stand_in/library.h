// TORCH_LIBRARY: operators with their schemas, which Python registers with PyTorch; their functions are called as those
// of an extension are.
#pragma once
#include "binding.h"

namespace akgflow {
// One line a registration: namespace, schema or name, dispatch key (empty for a definition), and the function's name
// among `functions()` (empty for a definition alone).
inline std::vector<std::string>& registered() { static std::vector<std::string> known; return known; }

// What PyTorch infers from a function's type where no schema is given.
template <class T> struct Schema;
#define AKGFLOW_SCHEMA(type, text) template <> struct Schema<type> { static std::string name() { return text; } };
AKGFLOW_SCHEMA(at::Tensor, "Tensor") AKGFLOW_SCHEMA(at::Scalar, "Scalar") AKGFLOW_SCHEMA(int64_t, "int")
AKGFLOW_SCHEMA(double, "float") AKGFLOW_SCHEMA(bool, "bool") AKGFLOW_SCHEMA(std::string, "str")
AKGFLOW_SCHEMA(std::string_view, "str") AKGFLOW_SCHEMA(c10::ScalarType, "ScalarType") AKGFLOW_SCHEMA(c10::Device, "Device")
#undef AKGFLOW_SCHEMA
template <class T> struct Schema<std::optional<T>> { static std::string name() { return Schema<T>::name() + "?"; } };
template <class T> struct Schema<std::vector<T>> { static std::string name() { return Schema<T>::name() + "[]"; } };
template <class T> struct Schema<c10::ArrayRef<T>> : Schema<std::vector<T>> {};
template <class... T> struct Schema<std::tuple<T...>> {
  static std::string name() {
    std::string all;
    ((all += (all.empty() ? "" : ", ") + Schema<T>::name()), ...);
    return "(" + all + ")";
  }
};
template <class R, class... A> std::string schema_of(const std::string& name, const std::function<R(A...)>&) {
  std::string all;
  int i = 0;
  ((all += (i ? ", " : "") + Schema<std::decay_t<A>>::name() + " _" + std::to_string(i), ++i), ...);
  if constexpr (std::is_void<R>::value) return name + "(" + all + ") -> ()";
  else return name + "(" + all + ") -> " + Schema<std::decay_t<R>>::name();
}
}  // namespace akgflow

namespace c10 { enum class DispatchKey { CPU, CUDA, Meta, Autograd, AutogradCUDA, CompositeImplicitAutograd,
                                         CompositeExplicitAutograd }; }
namespace torch {
using c10::DispatchKey;
template <class F> struct akgflow_keyed { const char* key; F f; };
inline const char* akgflow_key(DispatchKey key) {
  constexpr const char* names[] = {"CPU", "CUDA", "Meta", "Autograd", "AutogradCUDA", "CompositeImplicitAutograd",
                                   "CompositeExplicitAutograd"};
  return names[int(key)];
}
inline const char* akgflow_key(c10::DeviceType kind) { return kind == c10::DeviceType::CUDA ? "CUDA" : "CPU"; }
template <class Key, class F> akgflow_keyed<F> dispatch(Key key, F f) { return {akgflow_key(key), f}; }
class Library {
 public:
  Library(const char* space, const char* key) : space_(space), key_(key) {}
  template <class... More> Library& def(const char* schema, const More&... more) {
    if constexpr (sizeof...(More) == 0) note(schema, "", "");
    else defined(schema, more...);
    return *this;
  }
  template <class F> Library& impl(const char* name, akgflow_keyed<F> f) { return add(name, f.key, f.f); }
  template <class F> Library& impl(const char* name, F f) { return add(name, key_, f); }
  template <class F> Library& impl(const char* name, c10::DeviceType kind, F f) { return add(name, akgflow_key(kind), f); }
  template <class F> Library& impl(const char* name, DispatchKey key, F f) { return add(name, akgflow_key(key), f); }
  Library& set_python_module(const char*, const char* = "") { return *this; }

 private:
  std::string space_, key_;
  void note(const std::string& schema, const std::string& key, const std::string& function) {
    akgflow::registered().push_back(space_ + "\n" + schema + "\n" + key + "\n" + function);
  }
  template <class F, class... More> void defined(const std::string& schema, const F& f, const More&...) {
    if constexpr (std::is_class<F>::value) {
      note(schema, "", "");  // tags of an operator
    } else {
      const bool whole = schema.find('(') != std::string::npos;
      note(whole ? schema : akgflow::schema_of(schema, std::function(f)), "", "");
      add(schema.substr(0, schema.find('(')).c_str(), "CompositeExplicitAutograd", f);
    }
  }
  template <class F> Library& add(const char* name, const std::string& key, F f) {
    const std::string plain = std::string(name).substr(std::string(name).rfind(':') + 1);
    const std::string function = space_ + "::" + plain + "/" + key;
    akgflow::Module().def(function.c_str(), f);
    note(plain, key, function);
    return *this;
  }
};
}  // namespace torch

#define AKGFLOW_JOINED(a, b) a##b
#define AKGFLOW_LIBRARY(space, key, m, id) AKGFLOW_LIBRARY_OF(space, key, m, id)
#define AKGFLOW_LIBRARY_OF(space, key, m, id)                             \
  static void AKGFLOW_JOINED(akgflow_library_, id)(::torch::Library& m);  \
  static const bool AKGFLOW_JOINED(akgflow_registered_, id) = [] {        \
    ::torch::Library library(#space, key);                                \
    AKGFLOW_JOINED(akgflow_library_, id)(library);                        \
    return true;                                                          \
  }();                                                                    \
  static void AKGFLOW_JOINED(akgflow_library_, id)(::torch::Library& m)
#define TORCH_LIBRARY(space, m) AKGFLOW_LIBRARY(space, "", m, __COUNTER__)
#define TORCH_LIBRARY_FRAGMENT(space, m) AKGFLOW_LIBRARY(space, "", m, __COUNTER__)
#define TORCH_LIBRARY_IMPL(space, key, m) AKGFLOW_LIBRARY(space, #key, m, __COUNTER__)
#define TORCH_LIBRARY_EXPAND(space, m) TORCH_LIBRARY(space, m)
#define TORCH_LIBRARY_IMPL_EXPAND(space, key, m) TORCH_LIBRARY_IMPL(space, key, m)
#define TORCH_FN(f) f
#define TORCH_SELECTIVE_NAME(name) name
#define TORCH_SELECTIVE_SCHEMA(schema) schema

extern "C" inline __attribute__((used, visibility("default"))) const char* akgflow_registered(int i) {
  return i < int(akgflow::registered().size()) ? akgflow::registered()[i].c_str() : nullptr;
}
