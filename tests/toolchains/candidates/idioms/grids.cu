// Each function gives 2.5 * x.
#include <cuda_fp8.h>
#include <cooperative_groups.h>
#include <cooperative_groups/memcpy_async.h>
#include <cuda/pipeline>
#include <c10/cuda/CUDAMathCompat.h>
#include <ATen/cuda/detail/KernelUtils.h>
#include <ATen/native/cuda/KernelUtils.cuh>
namespace cg = cooperative_groups;

__global__ void all_meet(const float* x, float* o, int n) {
  auto grid = cg::this_grid();
  // Two rounds: what a block reads was written by the last one.
  for (int i = grid.thread_rank(); i < n; i += grid.size()) o[n - 1 - i] = x[i];
  grid.sync();
  float kept[8];
  int k = 0;
  for (int i = grid.thread_rank(); i < n; i += grid.size()) kept[k++] = o[n - 1 - i] * 2.5f;
  cg::sync(grid);
  k = 0;
  for (int i = grid.thread_rank(); i < n; i += grid.size()) o[i] = kept[k++];
}
torch::Tensor meeting(torch::Tensor x) {
  BEGIN
  const float* from = IN;
  float* to = OUT;
  int blocks = 0;
  cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, all_meet, 64, 0);
  void* args[] = {&from, &to, (void*)&n};
  C10_CUDA_CHECK(cudaLaunchCooperativeKernel((void*)all_meet, dim3(std::max(3, std::min(blocks, 4))), dim3(64), args, 0,
                                             at::cuda::getCurrentCUDAStream()));
  return o;
}

// Every block but the last one launched waits for the block after it, whatever order they begin in.
__global__ void in_a_row(const float* x, float* o, int* done, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (threadIdx.x == 0 && blockIdx.x + 1 < gridDim.x) {
    while (((volatile int*)done)[blockIdx.x + 1] == 0);
  }
  __syncthreads();
  if (i < n) o[i] = x[i] * 2.5f;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) atomicExch(done + blockIdx.x, 1);
}
torch::Tensor waiting(torch::Tensor x) {
  BEGIN
  auto done = torch::zeros({(n + 63) / 64}, x.options().dtype(torch::kInt));
  in_a_row<<<(n + 63) / 64, 64>>>(IN, OUT, done.data_ptr<int>(), n);
  return o;
}

__device__ bool rounds_as_fp8() {
  const __nv_fp8_e4m3 a(17.0f), zero(-0.0f), most(1e9f), small(0.0021f);
  const __nv_fp8_e5m2 b(0.3f);
  const c10::Float8_e4m3fn c(1e9f);
  const auto pair = __nv_cvt_float2_to_fp8x2(make_float2(1.0f, -2.0f), __NV_SATFINITE, __NV_E4M3);
  const auto half = __half2(__nv_cvt_fp8x2_to_halfraw2(pair, __NV_E4M3));
  return float(a) == 16.0f && float(zero) == 0.0f && float(most) == 448.0f && float(small) == 0.001953125f &&
         float(b) == 0.3125f && float(c) != float(c) && __low2float(half) == 1.0f && __high2float(half) == -2.0f;
}
__global__ void by_fp8(const float* x, float* o, int64_t n) {
  CUDA_KERNEL_LOOP_TYPE(i, n, int64_t) o[i] = rounds_as_fp8() ? x[i] * c10::cuda::compat::sqrt(6.25f) : 0.0f;
}
torch::Tensor small_floats(torch::Tensor x) {
  BEGIN
  by_fp8<<<at::cuda::detail::GET_BLOCKS(n, 256), 256>>>(IN, OUT, n);
  return o;
}

__global__ void piped(const float* x, float* o, int n) {
  __shared__ float s[2][64];
  auto pipe = cuda::make_pipeline();
  const int t = threadIdx.x, steps = (n + 63) / 64;
  const auto fetch = [&](int step) {
    pipe.producer_acquire();
    if (step * 64 + t < n) cuda::memcpy_async(&s[step % 2][t], x + step * 64 + t, cuda::aligned_size_t<4>(4), pipe);
    pipe.producer_commit();
  };
  fetch(0);
  for (int step = 0; step < steps; ++step) {
    if (step + 1 < steps) fetch(step + 1);
    if (step + 1 < steps) cuda::pipeline_consumer_wait_prior<1>(pipe);
    else cuda::pipeline_consumer_wait_prior<0>(pipe);
    __syncthreads();
    if (step * 64 + t < n) o[step * 64 + t] = s[step % 2][t] * 2.5f;
    pipe.consumer_release();
    __syncthreads();
  }
}
torch::Tensor pipeline(torch::Tensor x) {
  BEGIN
  piped<<<1, 64>>>(IN, OUT, n);
  return o;
}

__global__ void by_group(const float* x, float* o, int n) {
  __shared__ float s[64];
  auto block = cg::this_thread_block();
  const int from = blockIdx.x * 64, size = min(64, n - from);
  cg::memcpy_async(block, s, x + from, sizeof(float) * size);
  cg::wait(block);
  if (threadIdx.x < size) o[from + threadIdx.x] = s[threadIdx.x] * 2.5f;
}
torch::Tensor grouped(torch::Tensor x) {
  BEGIN
  by_group<<<(n + 63) / 64, 64>>>(IN, OUT, n);
  return o;
}
