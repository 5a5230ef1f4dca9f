#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAGuard.h>
#include <cuda_fp16.h>
#include <cuda_bf16.h>

__global__ void scale_kernel(const float* x, float* o, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) o[i] = x[i] * 2.5f;
}
#define GRID (n + 255) / 256, 256
#define IN x.data_ptr<float>()
#define OUT o.data_ptr<float>()
#define BEGIN auto o = torch::empty_like(x); const int n = x.numel();
#define LAUNCH scale_kernel<<<GRID>>>(IN, OUT, n);
