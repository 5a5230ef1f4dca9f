// Each function gives 2.5 * x.
template <typename T, bool B> __global__ void two(const T* x, T* o, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) o[i] = x[i] * T(2.5);
}
#define LAUNCH_TWO(T)            \
  two<T, true>                    \
      <<<GRID>>>(x.data_ptr<T>(), o.data_ptr<T>(), n);
#define CONFIGURED(n) scale_kernel<<<((n) + 255) / 256, 256>>>
template <typename T> __device__ __forceinline__ T times(const T& v) { return v * T(2.5); }
template <typename T, T (*F)(const T&)> __global__ void applied(const T* x, T* o, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) o[i] = F(x[i]);
}
template <class F> __global__ void each(F f, int n) { int i = blockIdx.x * blockDim.x + threadIdx.x; if (i < n) f(i); }
struct Affine { float scale; float rest[2]; };
__global__ void affine(const float* x, float* o, int n, Affine p, const float* none) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n && none == nullptr) o[i] = x[i] * p.scale + p.rest[0];
}

torch::Tensor next_line(torch::Tensor x) {
  BEGIN
  two<float, true>
      <<<GRID>>>(IN, OUT, n);
  return o;
}

torch::Tensor in_macro(torch::Tensor x) {
  BEGIN
  LAUNCH_TWO(float) return o;
}

torch::Tensor by_macro(torch::Tensor x) {
  BEGIN
  CONFIGURED(n)(IN, OUT, n);
  return o;
}

torch::Tensor with_function(torch::Tensor x) {
  BEGIN
  applied<float, times<float>><<<GRID>>>(IN, OUT, n);
  return o;
}

torch::Tensor with_lambda(torch::Tensor x) {
  BEGIN
  const float* from = IN;
  float* to = OUT;
  each<<<GRID>>>([=] __device__ (int i) { to[i] = from[i] * 2.5f; }, n);
  return o;
}

torch::Tensor by_pointer(torch::Tensor x) {
  BEGIN
  void (*kernel)(const float*, float*, int) = scale_kernel;
  kernel<<<dim3((n + 255) / 256, 1, 1), dim3(256), 0>>>(IN, OUT, n);
  return o;
}

torch::Tensor by_call(torch::Tensor x) {
  BEGIN
  const float* from = IN;
  float* to = OUT;
  int m = n;
  void* args[] = {&from, &to, &m};
  C10_CUDA_CHECK(cudaLaunchKernel((void*)scale_kernel, dim3((n + 255) / 256), dim3(256), args, 0, nullptr));
  return o;
}

torch::Tensor by_value(torch::Tensor x) {
  BEGIN
  Affine p{2.5f, {0.f, 1.f}};
  affine<<<GRID>>>(IN, OUT, n, p, NULL);
  return o;
}
