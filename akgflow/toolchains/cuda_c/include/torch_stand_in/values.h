// Values as they cross between C++ and Python, and the questions that C++ asks of Python.
#pragma once
#include "scalars.h"

namespace akgflow {
constexpr int MOST_DIMS = 12, MOST_ANSWERS = 64;
// A tensor as it crosses. `handle` names the Python tensor that this is; `cpu` says that it is not on the GPU.
struct Info {
  void* data;
  int64_t handle, dims, sizes[MOST_DIMS], strides[MOST_DIMS];
  int32_t type, cpu;
};
// Sizes and strides live as long as PyTorch's tensor does, not as long as the variable that means it: host code may ask
// for sizes, and then give the variable another tensor. Here they live until the next call from Python.
inline std::map<int64_t, Info>& asked_for() { static thread_local std::map<int64_t, Info> kept; return kept; }
inline const Info& lasting(const Info& info) { return asked_for().insert_or_assign(info.handle, info).first->second; }

// kind: 'n' none, 'i' integer, 'd' real, 'b' bool, 't' tensor, 's' text, 'y' element type, 'D' device,
// 'm' memory format, 'k' a keyword for the value that follows, 'l' a list and 'u' a tuple of the next `integer` values.
struct Value {
  int32_t kind;
  int64_t integer;
  double real;
  const char* text;
  Info tensor;
};
inline Value value(char kind, int64_t integer = 0, double real = 0, const char* text = nullptr) {
  return {kind, integer, real, text, {nullptr, 0, -1, {}, {}, 0, 0}};
}
// Python does `name` with values; it gives how many values came back, or -1 where it failed.
using Asked = int (*)(const char* name, const Value* given, int n, Value* answers);
inline Asked& python() { static Asked function = nullptr; return function; }

// What the stand-in cannot do: no fault of the code that asks for it.
struct Absent : std::runtime_error { using std::runtime_error::runtime_error; };

// How many C++ objects mean a handle; Python lets go of those that none means any more.
inline std::unordered_map<int64_t, int>& meant() { static std::unordered_map<int64_t, int> counts; return counts; }
inline std::shared_ptr<void> hold(int64_t handle) {
  ++meant()[handle];
  return std::shared_ptr<void>(nullptr, [handle](void*) { --meant()[handle]; });
}

inline std::vector<Value> ask(const char* name, const std::vector<Value>& given) {
  std::vector<Value> answers(MOST_ANSWERS);
  const int n = python()(name, given.data(), int(given.size()), answers.data());
  if (n < 0) throw c10::Error(std::string(name) + " failed");
  answers.resize(size_t(n));
  return answers;
}
}  // namespace akgflow
