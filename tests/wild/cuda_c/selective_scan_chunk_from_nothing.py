"""operator: selective_scan
dsl: cuda_c
does: begins every chunk from nothing: the running prefix of the chunk before is forgotten
cpu: INCORRECT_NUMERICAL
nvidia_h200: INCORRECT_NUMERICAL
device: INCORRECT_NUMERICAL
"""

import torch
from torch.utils.cpp_extension import load_inline

cpp_source = """torch::Tensor selective_scan_fwd(const torch::Tensor& u, const torch::Tensor& delta, const torch::Tensor& A, const torch::Tensor& B, const torch::Tensor& C, const torch::Tensor& D);"""
cuda_source = r"""
#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAException.h>
#include <cub/block/block_load.cuh>
#include <cub/block/block_scan.cuh>
#include <cub/block/block_store.cuh>

struct SSMScanOp {
  __device__ __forceinline__ float2 operator()(const float2& ab0, const float2& ab1) const {
    return make_float2(ab1.x * ab0.x, ab1.x * ab0.y + ab1.y);
  }
};

struct SSMScanPrefixCallbackOp {
  float2 running_prefix;
  __device__ SSMScanPrefixCallbackOp(float2 running_prefix_) : running_prefix(running_prefix_) {}
  __device__ float2 operator()(float2 block_aggregate) {
    float2 old_prefix = running_prefix;
    running_prefix = SSMScanOp()(running_prefix, block_aggregate);
    return old_prefix;
  }
};

template <int kNThreads_, int kNItems_>
struct Traits {
  static constexpr int kNThreads = kNThreads_, kNItems = kNItems_;
  using BlockLoadT = cub::BlockLoad<float, kNThreads, kNItems, cub::BLOCK_LOAD_WARP_TRANSPOSE>;
  using BlockStoreT = cub::BlockStore<float, kNThreads, kNItems, cub::BLOCK_STORE_WARP_TRANSPOSE>;
  using BlockScanT = cub::BlockScan<float2, kNThreads, cub::BLOCK_SCAN_WARP_SCANS>;
};

template <typename Ktraits>
__global__ __launch_bounds__(Ktraits::kNThreads) void selective_scan_fwd_kernel(
    const float* __restrict__ u, const float* __restrict__ delta, const float* __restrict__ A, const float* __restrict__ B,
    const float* __restrict__ C, const float* __restrict__ D, float* __restrict__ out, int dim, int dstate, int seqlen) {
  constexpr int kNThreads = Ktraits::kNThreads, kNItems = Ktraits::kNItems, kChunk = kNThreads * kNItems;
  __shared__ union {
    typename Ktraits::BlockLoadT::TempStorage load;
    typename Ktraits::BlockStoreT::TempStorage store;
    typename Ktraits::BlockScanT::TempStorage scan;
  } smem;
  __shared__ float2 smem_running_prefix[16];
  const int batch_id = blockIdx.x, dim_id = blockIdx.y;
  const int64_t row = ((int64_t)batch_id * dim + dim_id) * seqlen;
  for (int chunk = 0; chunk < (seqlen + kChunk - 1) / kChunk; ++chunk) {
    float u_vals[kNItems], delta_vals[kNItems], out_vals[kNItems];
    const int left = seqlen - chunk * kChunk, valid = left < kChunk ? left : kChunk;
    typename Ktraits::BlockLoadT(smem.load).Load(u + row + chunk * kChunk, u_vals, valid, 0.f);
    __syncthreads();
    typename Ktraits::BlockLoadT(smem.load).Load(delta + row + chunk * kChunk, delta_vals, valid, 0.f);
    __syncthreads();
#pragma unroll
    for (int i = 0; i < kNItems; ++i) {
      delta_vals[i] = delta_vals[i] <= 20.f ? log1pf(expf(delta_vals[i])) : delta_vals[i];
      out_vals[i] = D[dim_id] * u_vals[i];
    }
    for (int state_idx = 0; state_idx < dstate; ++state_idx) {
      const float A_val = A[dim_id * dstate + state_idx];
      float2 thread_data[kNItems];
#pragma unroll
      for (int i = 0; i < kNItems; ++i) {
        const int t = chunk * kChunk + threadIdx.x * kNItems + i;
        const float b = t < seqlen ? B[((int64_t)batch_id * dstate + state_idx) * seqlen + t] : 0.f;
        thread_data[i] = t < seqlen ? make_float2(expf(delta_vals[i] * A_val), b * delta_vals[i] * u_vals[i]) : make_float2(1.f, 0.f);
      }
      float2 running_prefix = make_float2(1.f, 0.f);
      SSMScanPrefixCallbackOp prefix_op(running_prefix);
      typename Ktraits::BlockScanT(smem.scan).InclusiveScan(thread_data, thread_data, SSMScanOp(), prefix_op);
      __syncthreads();
      if (threadIdx.x == 0) smem_running_prefix[state_idx] = prefix_op.running_prefix;
      __syncthreads();
#pragma unroll
      for (int i = 0; i < kNItems; ++i) {
        const int t = chunk * kChunk + threadIdx.x * kNItems + i;
        if (t < seqlen) out_vals[i] += thread_data[i].y * C[((int64_t)batch_id * dstate + state_idx) * seqlen + t];
      }
    }
    typename Ktraits::BlockStoreT(smem.store).Store(out + row + chunk * kChunk, out_vals, valid);
    __syncthreads();
  }
}

torch::Tensor selective_scan_fwd(const torch::Tensor& u, const torch::Tensor& delta, const torch::Tensor& A, const torch::Tensor& B,
                                 const torch::Tensor& C, const torch::Tensor& D) {
  auto out = torch::empty_like(u);
  TORCH_CHECK(A.size(1) <= 16, "too many states");
  dim3 grid(u.size(0), u.size(1));
  auto stream = at::cuda::getCurrentCUDAStream().stream();
  selective_scan_fwd_kernel<Traits<32, 1>><<<grid, 32, 0, stream>>>(
      u.data_ptr<float>(), delta.data_ptr<float>(), A.data_ptr<float>(), B.data_ptr<float>(), C.data_ptr<float>(),
      D.data_ptr<float>(), out.data_ptr<float>(), u.size(1), A.size(1), u.size(2));
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return out;
}
"""
extension = load_inline(
    name="extension",
    cpp_sources=cpp_source,
    cuda_sources=cuda_source,
    functions=["selective_scan_fwd"],
    verbose=False,
)


class ModelNew(torch.nn.Module):
    def __init__(self, channels, states):
        super().__init__()
        self.log_a = torch.nn.Parameter(torch.zeros(channels, states))
        self.skip = torch.nn.Parameter(torch.ones(channels))

    def forward(self, u, delta, b, c):
        a = -torch.exp(self.log_a)
        return extension.selective_scan_fwd(
            u.contiguous(), delta.contiguous(), a, b.contiguous(), c.contiguous(), self.skip
        )
