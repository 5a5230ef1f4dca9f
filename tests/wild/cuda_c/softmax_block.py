"""operator: softmax
dsl: cuda_c
does: a block a row; sums cross warps through shared memory
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
from torch.utils.cpp_extension import load_inline

cpp_source = """torch::Tensor softmax(const torch::Tensor& x);"""
cuda_source = r"""
#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAException.h>

constexpr int kThreads = 128;

template <typename Op>
__device__ __forceinline__ float block_reduce(float v, float* shared, Op op, float identity) {
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
#pragma unroll
  for (int offset = 16; offset > 0; offset >>= 1) v = op(v, __shfl_xor_sync(0xffffffff, v, offset));
  __syncthreads();  // the shared values of the call before have been read
  if (lane == 0) shared[warp] = v;
  __syncthreads();
  v = lane < kThreads / 32 ? shared[lane] : identity;
#pragma unroll
  for (int offset = 16; offset > 0; offset >>= 1) v = op(v, __shfl_xor_sync(0xffffffff, v, offset));
  return v;
}

struct MaxOp { __device__ float operator()(float a, float b) const { return fmaxf(a, b); } };
struct SumOp { __device__ float operator()(float a, float b) const { return a + b; } };

__global__ void softmax_forward(const float* __restrict__ in, float* __restrict__ out, int64_t cols) {
  __shared__ float shared[kThreads / 32];
  const float* row = in + blockIdx.x * cols;
  float best = -INFINITY, sum = 0.f;
  for (int64_t c = threadIdx.x; c < cols; c += kThreads) best = fmaxf(best, row[c]);
  best = block_reduce(best, shared, MaxOp(), -INFINITY);
  for (int64_t c = threadIdx.x; c < cols; c += kThreads) sum += __expf(row[c] - best);
  sum = block_reduce(sum, shared, SumOp(), 0.f);
  for (int64_t c = threadIdx.x; c < cols; c += kThreads) out[blockIdx.x * cols + c] = __expf(row[c] - best) / sum;
}

torch::Tensor softmax(const torch::Tensor& x) {
  TORCH_CHECK(x.is_cuda() && x.dim() == 2, "expected a matrix on a GPU, got ", x.dim(), " dimensions");
  auto out = torch::empty_like(x);
  softmax_forward<<<x.size(0), kThreads, 0, at::cuda::getCurrentCUDAStream()>>>(
      x.data_ptr<float>(), out.data_ptr<float>(), x.size(1));
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return out;
}
"""
extension = load_inline(
    name="extension",
    cpp_sources=cpp_source,
    cuda_sources=cuda_source,
    functions=["softmax"],
    verbose=False,
)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        return extension.softmax(x.contiguous())
