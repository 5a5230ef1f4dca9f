// Each function gives 2.5 * x.
#define OUT_AS_BF16 reinterpret_cast<__nv_bfloat16*>(OUT)
template <typename T> __global__ void by_type(const T* x, T* o, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) o[i] = static_cast<T>(static_cast<float>(x[i]) * 2.5f);
}
__global__ void from_half(const __half* h, const float* x, float* o, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) o[i] = fabsf(__half2float(__hmul(h[i], __float2half(1.0f))) - x[i]) < 0.01f ? x[i] * 2.5f : 0.0f;
}

torch::Tensor switched(torch::Tensor x) {
  BEGIN
  AT_DISPATCH_SWITCH(x.scalar_type(), "s", AT_DISPATCH_CASE(at::ScalarType::Float,
      [&] { by_type<scalar_t><<<GRID>>>(x.data_ptr<scalar_t>(), o.data_ptr<scalar_t>(), n);
      }) AT_DISPATCH_CASE_REDUCED_FLOATING_TYPES([&] { by_type<scalar_t><<<GRID>>>(x.data_ptr<scalar_t>(),
      o.data_ptr<scalar_t>(), n); }));
  return o;
}

torch::Tensor halves(torch::Tensor x) {
  BEGIN
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kHalf, at::kBFloat16, x.type(), "h",
      ([&] { by_type<scalar_t><<<GRID>>>(x.const_data_ptr<scalar_t>(), o.mutable_data_ptr<scalar_t>(), n); }));
  return o;
}

torch::Tensor second(torch::Tensor x) {
  BEGIN
  AT_DISPATCH_V2(x.scalar_type(), "v", AT_WRAP([&] { by_type<scalar_t><<<GRID>>>(x.data_ptr<scalar_t>(),
      o.data_ptr<scalar_t>(), n); }), AT_EXPAND(AT_FLOATING_TYPES), at::kHalf);
  return o;
}

torch::Tensor all(torch::Tensor x) {
  BEGIN
  AT_DISPATCH_ALL_TYPES(x.scalar_type(), "a", ([&] { using acc = at::acc_type<scalar_t, true>;
      by_type<scalar_t><<<GRID>>>(x.data_ptr<scalar_t>(), o.data_ptr<scalar_t>(), n); (void)sizeof(acc); }));
  return o;
}

torch::Tensor small(torch::Tensor x) {
  auto h = x.to(torch::kHalf);
  auto b = torch::empty({8}, x.options().dtype(at::kBFloat16));
  BEGIN
  from_half<<<GRID>>>(reinterpret_cast<const __half*>(h.data_ptr<at::Half>()), IN, OUT, n);
  TORCH_CHECK(reinterpret_cast<__nv_bfloat16*>(b.data_ptr<at::BFloat16>()) != OUT_AS_BF16);
  return o;
}
