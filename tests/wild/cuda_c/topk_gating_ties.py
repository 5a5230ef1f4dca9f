"""operator: topk_gating
dsl: cuda_c
does: keeps its own place among equals, so that threads disagree on which expert is taken
cpu: INCORRECT_NUMERICAL
nvidia_h200: INCORRECT_NUMERICAL
device: INCORRECT_NUMERICAL
"""

import torch
from torch.utils.cpp_extension import load_inline

cpp_source = (
    """void topk_softmax(torch::Tensor& topk_weights, torch::Tensor& topk_indices, torch::Tensor& gating_output);"""
)
cuda_source = r"""
#include <torch/all.h>
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAGuard.h>

template <int VPT, int NUM_EXPERTS, int WARPS_PER_CTA>
__launch_bounds__(WARPS_PER_CTA * 32) __global__
    void topkGatingSoftmax(const float* input, float* output, const int num_rows, int* indices, const int k) {
  static_assert(VPT == (VPT & -VPT), "VPT must be power of 2");
  static_assert(NUM_EXPERTS == (NUM_EXPERTS & -NUM_EXPERTS), "NUM_EXPERTS must be power of 2");
  static constexpr int THREADS_PER_ROW = NUM_EXPERTS / VPT;
  static_assert(THREADS_PER_ROW <= 32, "THREADS_PER_ROW can be at most warp size");
  static constexpr int ROWS_PER_WARP = 32 / THREADS_PER_ROW;
  const int warp_base_row = (blockIdx.x * WARPS_PER_CTA + threadIdx.y) * ROWS_PER_WARP;
  const int thread_row = warp_base_row + threadIdx.x / THREADS_PER_ROW;
  const bool active = thread_row < num_rows;
  const int thread_group_idx = threadIdx.x % THREADS_PER_ROW;
  float row_chunk[VPT];
#pragma unroll
  for (int ii = 0; ii < VPT; ++ii) row_chunk[ii] = active ? input[thread_row * NUM_EXPERTS + thread_group_idx * VPT + ii] : 0.f;
  float thread_max = row_chunk[0];
#pragma unroll
  for (int ii = 1; ii < VPT; ++ii) thread_max = max(thread_max, row_chunk[ii]);
#pragma unroll
  for (int mask = THREADS_PER_ROW / 2; mask > 0; mask /= 2)
    thread_max = max(thread_max, __shfl_xor_sync(0xFFFFFFFF, thread_max, mask, THREADS_PER_ROW));
  float row_sum = 0;
#pragma unroll
  for (int ii = 0; ii < VPT; ++ii) {
    row_chunk[ii] = expf(row_chunk[ii] - thread_max);
    row_sum += row_chunk[ii];
  }
#pragma unroll
  for (int mask = THREADS_PER_ROW / 2; mask > 0; mask /= 2) row_sum += __shfl_xor_sync(0xFFFFFFFF, row_sum, mask, THREADS_PER_ROW);
  const float reciprocal_row_sum = 1.f / row_sum;
#pragma unroll
  for (int ii = 0; ii < VPT; ++ii) row_chunk[ii] = row_chunk[ii] * reciprocal_row_sum;
  const int start_col = thread_group_idx * VPT;
  float selected_sum = 0.f;
  for (int k_idx = 0; k_idx < k; ++k_idx) {
    float max_val = row_chunk[0];
    int expert = start_col;
#pragma unroll
    for (int ii = 1; ii < VPT; ++ii) {
      if (row_chunk[ii] > max_val) {
        max_val = row_chunk[ii];
        expert = start_col + ii;
      }
    }
#pragma unroll
    for (int mask = THREADS_PER_ROW / 2; mask > 0; mask /= 2) {
      float other_max = __shfl_xor_sync(0xFFFFFFFF, max_val, mask, THREADS_PER_ROW);
      int other_expert = __shfl_xor_sync(0xFFFFFFFF, expert, mask, THREADS_PER_ROW);
      if (other_max > max_val) {
        max_val = other_max;
        expert = other_expert;
      }
    }
    if (thread_group_idx == 0 && active) {
      output[k * thread_row + k_idx] = max_val;
      indices[k * thread_row + k_idx] = expert;
      selected_sum += max_val;
    }
    if (k_idx + 1 < k) {
      const int thread_to_clear_in_group = expert / VPT;
      if (thread_group_idx == thread_to_clear_in_group) row_chunk[expert % VPT] = -10000.f;
    }
  }
  if (thread_group_idx == 0 && active) {
    for (int k_idx = 0; k_idx < k; ++k_idx) output[k * thread_row + k_idx] /= selected_sum;
  }
}

template <int EXPERTS, int VPT>
void topkGatingSoftmaxLauncherHelper(const float* input, float* output, int* indices, const int num_rows, const int k, cudaStream_t stream) {
  static constexpr int WARPS_PER_TB = 4, ROWS = 32 / (EXPERTS / VPT);
  const int num_warps = (num_rows + ROWS - 1) / ROWS;
  const int num_blocks = (num_warps + WARPS_PER_TB - 1) / WARPS_PER_TB;
  dim3 block_dim(32, WARPS_PER_TB);
  topkGatingSoftmax<VPT, EXPERTS, WARPS_PER_TB><<<num_blocks, block_dim, 0, stream>>>(input, output, num_rows, indices, k);
}

#define LAUNCH_SOFTMAX(NUM_EXPERTS, VPT) \
  topkGatingSoftmaxLauncherHelper<NUM_EXPERTS, VPT>(gating_output.data_ptr<float>(), topk_weights.data_ptr<float>(), topk_indices.data_ptr<int>(), num_tokens, topk, stream);

void topk_softmax(torch::Tensor& topk_weights, torch::Tensor& topk_indices, torch::Tensor& gating_output) {
  const int num_experts = gating_output.size(-1);
  const auto num_tokens = gating_output.numel() / num_experts;
  const int topk = topk_weights.size(-1);
  const at::cuda::OptionalCUDAGuard device_guard(device_of(gating_output));
  const cudaStream_t stream = at::cuda::getCurrentCUDAStream();
  switch (num_experts) {
    case 32: LAUNCH_SOFTMAX(32, 4); break;
    case 64: LAUNCH_SOFTMAX(64, 8); break;
    case 128: LAUNCH_SOFTMAX(128, 8); break;
    default: TORCH_CHECK(false, "unsupported number of experts: ", num_experts);
  }
}
"""
extension = load_inline(
    name="extension",
    cpp_sources=cpp_source,
    cuda_sources=cuda_source,
    functions=["topk_softmax"],
    verbose=False,
)


class ModelNew(torch.nn.Module):
    def forward(self, scores):
        scores = scores.contiguous()
        weights = torch.empty(scores.shape[0], 3, dtype=torch.float32, device=scores.device)
        indices = torch.empty(scores.shape[0], 3, dtype=torch.int32, device=scores.device)
        extension.topk_softmax(weights, indices, scores)
        return weights, indices
