// Functions by name, called with values from Python: what pybind11 does for a real extension.
#pragma once

namespace akgflow {
struct Function {
  std::string name;
  std::function<void(const Value*, int, std::vector<Value>&)> call;
};
inline std::vector<Function>& functions() { static std::vector<Function> known; return known; }

template <class T> struct FromPython;
template <class T> struct FromPython<const T&> : FromPython<T> {};
template <class T> struct FromPython<T&> : FromPython<T> {};
template <class T> struct FromPython<const T> : FromPython<T> {};
template <> struct FromPython<at::Tensor> {
  static at::Tensor get(const Value& v) {
    if (v.kind == 'n') return {};
    if (v.kind != 't') throw c10::Error("a tensor was expected");
    return at::Tensor(v.tensor);
  }
};
template <class T> struct FromPython<std::optional<T>> {
  static std::optional<T> get(const Value& v) {
    return v.kind == 'n' ? std::nullopt : std::optional<T>(FromPython<T>::get(v));
  }
};
template <class T> struct FromNumber {
  static T get(const Value& v) {
    if (v.kind == 'i' || v.kind == 'b') return T(v.integer);
    if (v.kind == 'd' && std::is_floating_point<T>::value) return T(v.real);
    throw c10::Error(std::is_floating_point<T>::value ? "a number was expected" : "an integer was expected");
  }
};
template <> struct FromPython<bool> : FromNumber<bool> {};
template <> struct FromPython<int> : FromNumber<int> {};
template <> struct FromPython<unsigned> : FromNumber<unsigned> {};
template <> struct FromPython<long> : FromNumber<long> {};
template <> struct FromPython<unsigned long> : FromNumber<unsigned long> {};
template <> struct FromPython<long long> : FromNumber<long long> {};
template <> struct FromPython<float> : FromNumber<float> {};
template <> struct FromPython<double> : FromNumber<double> {};

inline void give(std::vector<Value>& out, const at::Tensor& t) { out.push_back({'t', 0, 0, t.info}); }
inline void give(std::vector<Value>& out, int64_t v) { out.push_back({'i', v, 0, {}}); }
inline void give(std::vector<Value>& out, int v) { out.push_back({'i', v, 0, {}}); }
inline void give(std::vector<Value>& out, bool v) { out.push_back({'b', v, 0, {}}); }
inline void give(std::vector<Value>& out, double v) { out.push_back({'d', 0, v, {}}); }
inline void give(std::vector<Value>& out, float v) { out.push_back({'d', 0, v, {}}); }
template <class T> void give(std::vector<Value>& out, const std::vector<T>& all) {
  out.push_back({'l', int64_t(all.size()), 0, {}});
  for (const T& one : all) give(out, one);
}
template <class... T> void give(std::vector<Value>& out, const std::tuple<T...>& all) {
  out.push_back({'u', int64_t(sizeof...(T)), 0, {}});
  std::apply([&](const auto&... one) { (give(out, one), ...); }, all);
}
template <class A, class B> void give(std::vector<Value>& out, const std::pair<A, B>& both) {
  give(out, std::tie(both.first, both.second));
}

struct Module {
  template <class R, class... A, size_t... I>
  static void invoke(R (*f)(A...), const Value* given, std::vector<Value>& out, std::index_sequence<I...>) {
    if constexpr (std::is_void<R>::value) f(FromPython<A>::get(given[I])...);
    else give(out, f(FromPython<A>::get(given[I])...));
  }
  template <class R, class... A, class... More>
  Module& def(const char* name, R (*f)(A...), const More&...) {
    const std::string called = name;
    functions().push_back({called, [called, f](const Value* given, int n, std::vector<Value>& out) {
      if (n != int(sizeof...(A))) {
        throw c10::Error(c10::words(called, " takes ", sizeof...(A), " arguments and got ", n));
      }
      invoke(f, given, out, std::index_sequence_for<A...>());
    }});
    return *this;
  }
  std::string& doc() { static std::string text; return text; }
};
struct Argument {
  explicit Argument(const char*) {}
  template <class T> Argument& operator=(const T&) { return *this; }
};
}  // namespace akgflow
namespace pybind11 { using arg = akgflow::Argument; using module_ = akgflow::Module; }
namespace torch { namespace py = pybind11; }
namespace py = pybind11;
#define TORCH_EXTENSION_NAME akgflow_extension
#define PYBIND11_MODULE(name, m)                                      \
  static void akgflow_define(::akgflow::Module& m);                   \
  static const bool akgflow_defined = [] {                            \
    ::akgflow::Module module;                                         \
    akgflow_define(module);                                           \
    return true;                                                      \
  }();                                                                \
  static void akgflow_define(::akgflow::Module& m)

// What Python asks of the library. `results` holds `most` values; returns how many there are, or -1 for an error.
extern "C" {
inline __attribute__((used)) const char* akgflow_function(int i) {
  return i < int(akgflow::functions().size()) ? akgflow::functions()[i].name.c_str() : nullptr;
}
inline __attribute__((used)) void akgflow_python(akgflow::Asked function) { akgflow::python() = function; }
inline __attribute__((used)) int akgflow_call(int i, const akgflow::Value* given, int n, akgflow::Value* results,
                                              int most, char* error, int error_size) {
  try {
    std::vector<akgflow::Value> out;
    akgflow::functions()[i].call(given, n, out);
    if (int(out.size()) > most) throw c10::Error("too many results");
    std::copy(out.begin(), out.end(), results);
    return int(out.size());
  } catch (const std::exception& e) {
    std::snprintf(error, error_size, "%s", e.what());
    return -1;
  }
}
}
