// torch::autograd::Function: its forward runs. Nothing is recorded, so that who asks for gradients is told so.
#pragma once
#include "tensor.h"

namespace torch { namespace autograd {
using Variable = at::Tensor;
using variable_list = std::vector<Variable>;
using tensor_list = variable_list;

// A value in `saved_data`: what forward puts there, backward would take out.
class SavedValue {
 public:
  SavedValue() = default;
  SavedValue(bool v) : integer_(v) {}
  SavedValue(int v) : integer_(v) {}
  SavedValue(int64_t v) : integer_(v) {}
  SavedValue(double v) : real_(v) {}
  SavedValue(std::string v) : text_(std::move(v)) {}
  SavedValue(const char* v) : text_(v) {}
  SavedValue(at::Tensor v) : tensor_(std::move(v)) {}
  template <class T> SavedValue(const std::vector<T>&) {}
  template <class T> SavedValue(const std::optional<T>&) {}
  int64_t toInt() const { return integer_; }
  bool toBool() const { return integer_ != 0; }
  double toDouble() const { return real_; }
  at::Tensor toTensor() const { return tensor_; }
  std::string toStringRef() const { return text_; }
  std::vector<int64_t> toIntVector() const { return {}; }
  bool isNone() const { return false; }

 private:
  int64_t integer_ = 0;
  double real_ = 0;
  std::string text_;
  at::Tensor tensor_;
};

class AutogradContext {
 public:
  std::unordered_map<std::string, SavedValue> saved_data;
  void save_for_backward(variable_list all) { saved_ = std::move(all); }
  variable_list get_saved_variables() const { return saved_; }
  void mark_dirty(const variable_list&) {}
  void mark_non_differentiable(const variable_list&) {}
  void set_materialize_grads(bool) {}
  bool needs_input_grad(size_t) const { return false; }

 private:
  variable_list saved_;
};

template <class T>
struct Function {
  template <class... A> static auto apply(A&&... args) {
    if (akgflow::did("is_grad_enabled")[0].integer != 0) {
      throw akgflow::Absent("gradients of torch::autograd::Function in C++ are not recorded without PyTorch's headers");
    }
    AutogradContext context;
    return T::forward(&context, std::forward<A>(args)...);
  }
};
}}  // namespace torch::autograd
