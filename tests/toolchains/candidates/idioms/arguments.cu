// Functions with arguments and results of many types; the calls are in the test.
void tensor_ref(torch::Tensor& o, const torch::Tensor& x) {
  const int n = x.numel();
  LAUNCH
}

torch::Tensor optional(torch::Tensor x, c10::optional<torch::Tensor> bias, const std::optional<at::Tensor>& other) {
  BEGIN
  LAUNCH
  TORCH_CHECK(!bias.has_value() && other->numel() == n, n);
  return o;
}

std::vector<torch::Tensor> lists(torch::TensorList xs, at::IntArrayRef sizes, std::vector<double> factors, const std::string& mode, bool b) {
  auto x = xs[0];
  auto o = torch::empty(sizes, x.options());
  const int n = o.numel();
  TORCH_CHECK(factors.at(1) == 2.5 && mode == "half" && b, mode);
  LAUNCH
  return {o};
}

std::tuple<torch::Tensor, int64_t> nested(std::vector<std::vector<at::Tensor>> lists) {
  auto &x = lists[0][0], &o = lists[1][0];
  const int n = x.numel();
  LAUNCH
  return std::make_tuple(o, x.size(0));
}

torch::Tensor defaults(torch::Tensor x, double eps, int64_t k, at::ScalarType type) {
  TORCH_CHECK(eps == 1e-5 && k == 3 && type == torch::kHalf);
  BEGIN
  LAUNCH
  return o;
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  m.def("tensor_ref", &tensor_ref);
  m.def("optional", &optional);
  m.def("lists", &lists);
  m.def("nested", &nested);
  m.def("defaults", &defaults, "doc", py::arg("x"), py::arg("eps") = 1e-5, py::arg("k") = 1, py::arg("type"));
}
