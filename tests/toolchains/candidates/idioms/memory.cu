// Each function gives 2.5 * x.
__constant__ float factors[2];
extern __shared__ __align__(16) float at_file_scope[];
template <typename T> struct Memory { __device__ operator T*() { extern __shared__ int raw[]; return (T*)raw; } };
__global__ void staged(const float* x, float* o, int n) {
  static __shared__ float s[256], t[8][33];
  __shared__ alignas(16) float2 u[256];
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  s[255 - threadIdx.x] = i < n ? x[i] : 0.f;
  u[threadIdx.x] = make_float2(1.f, 2.5f);
  t[threadIdx.x / 32][threadIdx.x % 32] = 0.f;
  __syncthreads();
  if (i < n) o[i] = s[255 - threadIdx.x] * u[255 - threadIdx.x].y + t[7][threadIdx.x % 32];
}
template <typename T> __global__ void __launch_bounds__(256, 2) by_struct(const T* __restrict__ x, T* __restrict__ o, int n) {
  T* s = Memory<T>();
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  s[threadIdx.x] = i < n ? __ldg(x + i) : T(0);
  __syncthreads();
  if (i < n) o[i] = s[threadIdx.x] * T(2.5);
}
__global__ void outside(const float* x, float* o, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  at_file_scope[threadIdx.x] = i < n ? x[i] : 0.f;
  __syncthreads();
  if (i < n) o[i] = at_file_scope[threadIdx.x] * 2.5f;
}
__global__ void by_constant(const float* x, float* o, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) o[i] = x[i] * factors[1];
}
__global__ void by_four(const float* x, float* o, int n) {
  int i = (blockIdx.x * blockDim.x + threadIdx.x) * 4;
  if (i + 3 < n) {
    float4 v = reinterpret_cast<const float4*>(x)[i / 4];
    *reinterpret_cast<float4*>(o + i) = make_float4(v.x * 2.5f, v.y * 2.5f, v.z * 2.5f, v.w * 2.5f);
  } else {
    for (int k = i; k < n; ++k) o[k] = x[k] * 2.5f;
  }
}
__global__ void by_ptx(const float* x, float* o, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  float v = 0.f, r; unsigned lane;
  asm volatile("mov.u32 %0, %%laneid;" : "=r"(lane));
  if (i < n) asm volatile("ld.global.nc.f32 %0, [%1];" : "=f"(v) : "l"(x + i));
  asm("mul.f32 %0, %1, %2;" : "=f"(r) : "f"(v), "f"(2.5f));
  asm volatile("bar.sync 0;" ::: "memory");
  if (i < n && lane == threadIdx.x % 32) o[i] = r;
}

torch::Tensor kept_static(torch::Tensor x) {
  BEGIN
  staged<<<GRID>>>(IN, OUT, n);
  return o;
}

torch::Tensor in_template(torch::Tensor x) {
  BEGIN
  by_struct<float><<<GRID, 256 * sizeof(float)>>>(IN, OUT, n);
  return o;
}

torch::Tensor global_scope(torch::Tensor x) {
  BEGIN
  outside<<<GRID, 256 * sizeof(float)>>>(IN, OUT, n);
  return o;
}

torch::Tensor constant(torch::Tensor x) {
  BEGIN
  const float f[2] = {0.f, 2.5f};
  cudaMemcpyToSymbol(factors, f, sizeof f);
  by_constant<<<GRID>>>(IN, OUT, n);
  return o;
}

torch::Tensor vectors(torch::Tensor x) {
  BEGIN
  by_four<<<GRID>>>(IN, OUT, n);
  return o;
}

torch::Tensor ptx(torch::Tensor x) {
  BEGIN
  by_ptx<<<GRID>>>(IN, OUT, n);
  return o;
}
