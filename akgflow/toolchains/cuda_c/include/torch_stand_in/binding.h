// Functions by name, called with values from Python: what pybind11 does for a real extension.
#pragma once

namespace akgflow {
// Reads values in their order, lists with what is in them.
struct Cursor {
  const Value* at;
  const Value& next() { return *at++; }
  void skip() {
    const Value& v = next();
    for (int64_t i = 0; (v.kind == 'l' || v.kind == 'u') && i < v.integer; ++i) skip();
  }
};

template <class T> struct FromPython {
  static_assert(sizeof(T) == 0, "arguments of this type are not taken without PyTorch");
};
template <> struct FromPython<at::Tensor> {
  static at::Tensor get(Cursor& c) {
    const Value& v = c.next();
    if (v.kind == 'n') return {};
    if (v.kind != 't') throw c10::Error("a tensor was expected");
    return at::Tensor(v.tensor);
  }
};
template <class T> struct FromPython<std::optional<T>> {
  static auto get(Cursor& c) {
    using Inner = decltype(FromPython<T>::get(c));
    if (c.at->kind != 'n') return std::optional<Inner>(FromPython<T>::get(c));
    c.next();
    return std::optional<Inner>();
  }
};
template <class T> struct FromPython<std::vector<T>> {
  static std::vector<T> get(Cursor& c) {
    const Value& v = c.next();
    if (v.kind != 'l' && v.kind != 'u') throw c10::Error("a list was expected");
    std::vector<T> all;
    for (int64_t i = 0; i < v.integer; ++i) all.push_back(FromPython<T>::get(c));
    return all;
  }
};
template <class T> struct FromPython<c10::ArrayRef<T>> : FromPython<std::vector<T>> {};
template <class T, size_t N> struct FromPython<std::array<T, N>> {
  static std::array<T, N> get(Cursor& c) {
    const auto all = FromPython<std::vector<T>>::get(c);
    if (all.size() != N) throw c10::Error(c10::str("a list of ", N, " was expected"));
    std::array<T, N> made;
    std::copy(all.begin(), all.end(), made.begin());
    return made;
  }
};
template <class... T> struct FromPython<std::tuple<T...>> {
  static std::tuple<T...> get(Cursor& c) {
    c.next();
    return std::tuple<T...>{FromPython<T>::get(c)...};
  }
};
template <class A, class B> struct FromPython<std::pair<A, B>> {
  static std::pair<A, B> get(Cursor& c) {
    c.next();
    return {FromPython<A>::get(c), FromPython<B>::get(c)};
  }
};
template <class T> struct FromNumber {
  static T get(Cursor& c) {
    const Value& v = c.next();
    if (v.kind == 'i' || v.kind == 'b') return T(v.integer);
    if (v.kind == 'd' && std::is_floating_point<T>::value) return T(v.real);
    throw c10::Error(std::is_floating_point<T>::value ? "a number was expected" : "an integer was expected");
  }
};
#define AKGFLOW_NUMBER(type) template <> struct FromPython<type> : FromNumber<type> {};
AKGFLOW_NUMBER(bool) AKGFLOW_NUMBER(int8_t) AKGFLOW_NUMBER(uint8_t) AKGFLOW_NUMBER(short) AKGFLOW_NUMBER(unsigned short)
AKGFLOW_NUMBER(int) AKGFLOW_NUMBER(unsigned) AKGFLOW_NUMBER(long) AKGFLOW_NUMBER(unsigned long)
AKGFLOW_NUMBER(long long) AKGFLOW_NUMBER(unsigned long long) AKGFLOW_NUMBER(float) AKGFLOW_NUMBER(double)
#undef AKGFLOW_NUMBER
template <> struct FromPython<std::string> {
  static std::string get(Cursor& c) {
    const Value& v = c.next();
    if (v.kind != 's') throw c10::Error("text was expected");
    return v.text;
  }
};
template <> struct FromPython<std::string_view> : FromPython<std::string> {};
template <> struct FromPython<at::Scalar> {
  static at::Scalar get(Cursor& c) {
    at::Scalar made;
    made.v = c.next();
    return made;
  }
};
template <> struct FromPython<c10::ScalarType> {
  static c10::ScalarType get(Cursor& c) { return c10::ScalarType(c.next().integer); }
};
template <> struct FromPython<c10::Device> {
  static c10::Device get(Cursor& c) { return c.next().integer ? c10::DeviceType::CPU : c10::DeviceType::CUDA; }
};

// `x` in m.def("f", &f, py::arg("x") = 1): a name, and a value where there is one.
struct Argument {
  std::string name;
  Values otherwise;
  explicit Argument(const char* name) : name(name) {}
  template <class T> Argument& operator=(const T& v) {
    otherwise.clear();
    give(otherwise, v);
    return *this;
  }
  Argument& operator=(const char* v) { return *this = std::string(v); }
  Argument& noconvert(bool = true) { return *this; }
  Argument& none(bool = true) { return *this; }
};

struct Function {
  std::string name;
  std::vector<Argument> arguments;
  std::function<void(const std::vector<Value>&, Values&)> call;
  // The values for the parameters in their order, from positions, keywords and defaults.
  std::vector<Value> arranged(const Value* given, int n, size_t parameters) const {
    std::vector<std::vector<Value>> places;
    std::map<std::string, std::vector<Value>> named;
    const auto one = [&](Cursor& c) {
      const Value* from = c.at;
      c.skip();
      return std::vector<Value>(from, c.at);
    };
    for (Cursor c{given}; c.at < given + n;) {
      if (c.at->kind != 'k') { places.push_back(one(c)); continue; }
      const std::string name_ = c.next().text;
      named[name_] = one(c);
    }
    const size_t got = places.size() + named.size();
    for (size_t i = places.size(); i < parameters && i < arguments.size(); ++i) {
      const auto found = named.find(arguments[i].name);
      if (found == named.end() && arguments[i].otherwise.empty()) break;
      places.push_back(found == named.end() ? arguments[i].otherwise : found->second);
      if (found != named.end()) named.erase(found);
    }
    if (places.size() != parameters || !named.empty()) {
      throw c10::Error(c10::str(name, " takes ", parameters, " arguments and got ", got));
    }
    std::vector<Value> all;
    for (const auto& values : places) all.insert(all.end(), values.begin(), values.end());
    return all;
  }
};
inline std::vector<Function>& functions() { static std::vector<Function> known; return known; }

struct Module {
  template <class R, class... A>
  static void invoke(const std::function<R(A...)>& f, const std::vector<Value>& given, Values& out) {
    Cursor c{given.data()};
    // In braces, so that they are read from left to right; they live as long as the call.
    std::tuple<decltype(FromPython<std::decay_t<A>>::get(c))...> held{FromPython<std::decay_t<A>>::get(c)...};
    const auto call = [&](auto&... one) -> R { return f(static_cast<A>(one)...); };
    if constexpr (std::is_void<R>::value) std::apply(call, held);
    else give(out, std::apply(call, held));
  }
  template <class R, class... A>
  void add(const char* name, std::function<R(A...)> f, std::vector<Argument> arguments) {
    Function made{name, std::move(arguments), {}};
    const Function shape = made;
    made.call = [f, shape](const std::vector<Value>& given, Values& out) {
      invoke(f, shape.arranged(given.data(), int(given.size()), sizeof...(A)), out);
    };
    functions().push_back(std::move(made));
  }
  template <class F, class... More>
  Module& def(const char* name, F f, const More&... more) {
    std::vector<Argument> arguments;
    (note(arguments, more), ...);
    add(name, std::function(f), std::move(arguments));
    return *this;
  }
  std::string& doc() { static std::string text; return text; }

 private:
  static void note(std::vector<Argument>& all, const Argument& one) { all.push_back(one); }
  template <class T> static void note(std::vector<Argument>&, const T&) {}
};
}  // namespace akgflow
namespace pybind11 {
using arg = akgflow::Argument;
using module_ = akgflow::Module;
using module = akgflow::Module;
inline std::nullopt_t none() { return std::nullopt; }
struct gil_scoped_release { gil_scoped_release() {} };
struct gil_scoped_acquire { gil_scoped_acquire() {} };
template <class... T> struct call_guard {};
namespace literals { inline arg operator""_a(const char* name, size_t) { return arg(name); } }
}  // namespace pybind11
namespace torch { namespace py = pybind11; }
namespace py = pybind11;
#ifndef TORCH_EXTENSION_NAME
#define TORCH_EXTENSION_NAME akgflow_extension
#endif
#define PYBIND11_MODULE(name, m, ...)                                 \
  static void akgflow_define(::akgflow::Module& m);                   \
  static const bool akgflow_defined = [] {                            \
    ::akgflow::Module module;                                         \
    akgflow_define(module);                                           \
    return true;                                                      \
  }();                                                                \
  static void akgflow_define(::akgflow::Module& m)

// What Python asks of the library. A call gives how many values came back, -1 for an error of the code that was called,
// -2 for what the stand-in lacks; the values are there until the next call.
extern "C" {
inline __attribute__((used, visibility("default"))) const char* akgflow_function(int i) {
  return i < int(akgflow::functions().size()) ? akgflow::functions()[i].name.c_str() : nullptr;
}
inline __attribute__((used, visibility("default"))) void akgflow_python(akgflow::Asked function) {
  akgflow::python() = function;
}
inline __attribute__((used, visibility("default"))) int akgflow_meant(int64_t handle) {
  const auto found = akgflow::meant().find(handle);
  return found == akgflow::meant().end() ? 0 : found->second;
}
inline __attribute__((used, visibility("default"))) int akgflow_call(int i, const akgflow::Value* given, int n,
                                                                     const akgflow::Value** results, char* error,
                                                                     int error_size) {
  static akgflow::Values out;
  out.clear();
  akgflow::asked_for().clear();
  try {
    akgflow::functions()[i].call({given, given + n}, out);
    *results = out.data();
    return int(out.size());
  } catch (const akgflow::Absent& e) {
    std::snprintf(error, error_size, "%s", e.what());
    return -2;
  } catch (const std::exception& e) {
    std::snprintf(error, error_size, "%s", e.what());
    return -1;
  } catch (...) {
    std::snprintf(error, error_size, "an exception of an unknown type");
    return -1;
  }
}
}
