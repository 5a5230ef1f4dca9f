// Each function gives 2.5 * x.
__global__ void by_accessor(torch::PackedTensorAccessor32<float, 2, torch::RestrictPtrTraits> x,
                            torch::PackedTensorAccessor64<float, 2> o) {
  for (int c = threadIdx.x; c < x.size(1); c += blockDim.x) o[blockIdx.x][c] = 2.5f * x[blockIdx.x][c];
}

torch::Tensor views(torch::Tensor x) {
  auto v = x.view({-1}).unsqueeze(0).squeeze(0);
  auto p = x.permute({1, 0}).transpose(0, 1).contiguous();
  auto s = x.slice(0, 0, 1).select(0, 0).narrow(0, 0, 2);
  auto c = at::cat({x, x}, 0).chunk(2, 0)[1];
  TORCH_CHECK_EQ(s.numel(), 2);
  TORCH_CHECK(v.dim() == 1 && p.is_contiguous() && c.sizes() == x.sizes());
  BEGIN
  LAUNCH
  return o.reshape({x.size(0), -1});
}

torch::Tensor made(torch::Tensor x) {
  auto z = torch::zeros({4}).to(torch::Device(torch::kCUDA));
  z = z.to(x.device());
  auto f = torch::full({2, 3}, -INFINITY, x.options());
  auto a = torch::arange(0, 6, torch::dtype(torch::kInt32).device(torch::kCUDA));
  auto t = torch::tensor({1, 2, 3}, torch::kInt).cuda();
  auto u = x.new_zeros({2}, torch::kInt64);
  auto e = torch::empty({2, 2}, torch::TensorOptions().dtype(torch::kFloat32).device(x.device()));
  TORCH_CHECK(z.is_cuda() && f.numel() == 6 && a.size(0) == 6 && t.dim() == 1 && u.dtype() == at::kLong, e.sizes());
  BEGIN
  LAUNCH
  return o;
}

torch::Tensor checks(torch::Tensor x) {
  TORCH_CHECK(x.is_cuda(), "on a GPU: ", x.device());
  TORCH_CHECK_GE(x.dim(), 1);
  AT_ASSERTM(x.type().is_cuda(), "cuda");
  TORCH_CHECK(x.dtype() == torch::kFloat32 && x.scalar_type() == at::ScalarType::Float);
  TORCH_INTERNAL_ASSERT(x.device().type() == torch::kCUDA);
  at::cuda::CUDAGuard guard(x.device());
  const at::cuda::OptionalCUDAGuard other(device_of(x));
  BEGIN
  scale_kernel<<<GRID, 0, at::cuda::getCurrentCUDAStream()>>>(IN, OUT, n);
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return o;
}

torch::Tensor accessors(torch::Tensor x) {
  BEGIN
  by_accessor<<<x.size(0), 32>>>(x.packed_accessor32<float, 2, torch::RestrictPtrTraits>(),
      o.packed_accessor64<float, 2>());
  return o;
}

torch::Tensor workspace(torch::Tensor x) {
  static thread_local int calls = 0;
  static at::Tensor kept;
  BEGIN
  if (!kept.defined() || kept.numel() < n) kept = torch::zeros({n}, x.options());
  LAUNCH
  scale_kernel<<<GRID>>>(kept.data_ptr<float>(), kept.mutable_data_ptr<float>(), n);
  ++calls;
  return o;
}

torch::Tensor sizes_before(torch::Tensor x) {
  const auto before = x.sizes();
  x = x.reshape({-1});
  BEGIN
  LAUNCH
  return o.reshape(before);
}
