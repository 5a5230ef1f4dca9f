"""operator: paged_decode
dsl: cuda_c
does: begins to read logits of other threads before they are all scaled
cpu: RUNTIME_ERROR
nvidia_h200: RUNTIME_ERROR
device: PASSED INCORRECT_NUMERICAL
message: threads race
"""

import torch
from torch.utils.cpp_extension import load_inline

cpp_source = """void paged_attention_v1(torch::Tensor& out, torch::Tensor& query, torch::Tensor& key_cache, torch::Tensor& value_cache, int64_t num_kv_heads, double scale, torch::Tensor& block_tables, torch::Tensor& seq_lens, int64_t block_size, int64_t max_seq_len, const std::optional<torch::Tensor>& alibi_slopes);"""
cuda_source = r"""
#include <torch/all.h>
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAGuard.h>
#include <algorithm>
#include <cfloat>

#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define DIVIDE_ROUND_UP(a, b) (((a) + (b) - 1) / (b))
#define WARP_SIZE 32
#define VLLM_SHFL_XOR_SYNC(var, lane_mask) __shfl_xor_sync(uint32_t(-1), var, lane_mask)
#define VLLM_SHFL_SYNC(var, src_lane) __shfl_sync(uint32_t(-1), var, src_lane)

namespace vllm {
template <int NUM_WARPS>
inline __device__ float block_sum(float* red_smem, float sum) {
  const int warp = threadIdx.x / WARP_SIZE, lane = threadIdx.x % WARP_SIZE;
#pragma unroll
  for (int mask = WARP_SIZE / 2; mask >= 1; mask /= 2) sum += VLLM_SHFL_XOR_SYNC(sum, mask);
  if (lane == 0) red_smem[warp] = sum;
  __syncthreads();
  if (lane < NUM_WARPS) sum = red_smem[lane];
#pragma unroll
  for (int mask = NUM_WARPS / 2; mask >= 1; mask /= 2) sum += VLLM_SHFL_XOR_SYNC(sum, mask);
  return VLLM_SHFL_SYNC(sum, 0);
}

template <typename scalar_t, int HEAD_SIZE, int BLOCK_SIZE, int NUM_THREADS>
__global__ void paged_attention_v1_kernel(
    scalar_t* __restrict__ out, const scalar_t* __restrict__ q, const scalar_t* __restrict__ k_cache,
    const scalar_t* __restrict__ v_cache, const int num_kv_heads, const float scale, const int* __restrict__ block_tables,
    const int* __restrict__ seq_lens, const int max_num_blocks_per_seq, const float* __restrict__ alibi_slopes,
    const int q_stride) {
  const int seq_idx = blockIdx.y, head_idx = blockIdx.x, num_heads = gridDim.x;
  const int seq_len = seq_lens[seq_idx];
  constexpr int THREAD_GROUP_SIZE = MAX(WARP_SIZE / BLOCK_SIZE, 1);
  constexpr int NUM_THREAD_GROUPS = NUM_THREADS / THREAD_GROUP_SIZE;
  constexpr int NUM_WARPS = NUM_THREADS / WARP_SIZE;
  const int thread_idx = threadIdx.x, warp_idx = thread_idx / WARP_SIZE, lane = thread_idx % WARP_SIZE;
  const int num_queries_per_kv = num_heads / num_kv_heads, kv_head_idx = head_idx / num_queries_per_kv;
  const float alibi_slope = alibi_slopes == nullptr ? 0.f : alibi_slopes[head_idx];
  const int thread_group_idx = thread_idx / THREAD_GROUP_SIZE, thread_group_offset = thread_idx % THREAD_GROUP_SIZE;
  __shared__ float q_vecs[HEAD_SIZE];
  for (int i = thread_idx; i < HEAD_SIZE; i += NUM_THREADS) q_vecs[i] = q[seq_idx * q_stride + head_idx * HEAD_SIZE + i];
  __syncthreads();
  extern __shared__ char shared_mem[];
  float* logits = reinterpret_cast<float*>(shared_mem);
  __shared__ float red_smem[2 * NUM_WARPS];
  float qk_max = -FLT_MAX;
  const int* block_table = block_tables + seq_idx * max_num_blocks_per_seq;
  const int num_seq_blocks = DIVIDE_ROUND_UP(seq_len, BLOCK_SIZE);
  for (int block_idx = warp_idx; block_idx < num_seq_blocks; block_idx += NUM_WARPS) {
    const int64_t physical_block_number = static_cast<int64_t>(block_table[block_idx]);
    const int physical_block_offset = (thread_group_idx % BLOCK_SIZE);
    const int token_idx = block_idx * BLOCK_SIZE + physical_block_offset;
    const scalar_t* k_ptr = k_cache + ((physical_block_number * BLOCK_SIZE + physical_block_offset) * num_kv_heads + kv_head_idx) * HEAD_SIZE;
    float qk = 0.f;
    for (int i = thread_group_offset; i < HEAD_SIZE; i += THREAD_GROUP_SIZE) qk += q_vecs[i] * float(k_ptr[i]);
#pragma unroll
    for (int mask = THREAD_GROUP_SIZE / 2; mask >= 1; mask /= 2) qk += VLLM_SHFL_XOR_SYNC(qk, mask);
    qk *= scale;
    qk += (alibi_slope != 0) ? alibi_slope * (token_idx - seq_len + 1) : 0;
    if (thread_group_offset == 0) {
      const bool mask = token_idx >= seq_len;
      logits[token_idx] = mask ? 0.f : qk;
      qk_max = mask ? qk_max : fmaxf(qk_max, qk);
    }
  }
#pragma unroll
  for (int mask = WARP_SIZE / 2; mask >= THREAD_GROUP_SIZE; mask /= 2) qk_max = fmaxf(qk_max, VLLM_SHFL_XOR_SYNC(qk_max, mask));
  if (lane == 0) red_smem[warp_idx] = qk_max;
  __syncthreads();
  qk_max = lane < NUM_WARPS ? red_smem[lane] : -FLT_MAX;
#pragma unroll
  for (int mask = NUM_WARPS / 2; mask >= 1; mask /= 2) qk_max = fmaxf(qk_max, VLLM_SHFL_XOR_SYNC(qk_max, mask));
  qk_max = VLLM_SHFL_SYNC(qk_max, 0);
  float exp_sum = 0.f;
  for (int i = thread_idx; i < seq_len; i += NUM_THREADS) {
    float val = __expf(logits[i] - qk_max);
    logits[i] = val;
    exp_sum += val;
  }
  exp_sum = block_sum<NUM_WARPS>(&red_smem[NUM_WARPS], exp_sum);
  const float inv_sum = __fdividef(1.f, exp_sum + 1e-6f);
  for (int i = thread_idx; i < seq_len; i += NUM_THREADS) logits[i] *= inv_sum;
  for (int d = thread_idx; d < HEAD_SIZE; d += NUM_THREADS) {
    float acc = 0.f;
    for (int t = 0; t < seq_len; ++t) {
      const int64_t block = static_cast<int64_t>(block_table[t / BLOCK_SIZE]);
      acc += logits[t] * float(v_cache[((block * BLOCK_SIZE + t % BLOCK_SIZE) * num_kv_heads + kv_head_idx) * HEAD_SIZE + d]);
    }
    out[(seq_idx * num_heads + head_idx) * HEAD_SIZE + d] = acc;
  }
}
}  // namespace vllm

#define LAUNCH_PAGED_ATTENTION_V1(HEAD_SIZE)                                                             \
  C10_CUDA_CHECK(cudaFuncSetAttribute(                                                                   \
      (void*)vllm::paged_attention_v1_kernel<T, HEAD_SIZE, BLOCK_SIZE, NUM_THREADS>,                     \
      cudaFuncAttributeMaxDynamicSharedMemorySize, shared_mem_size));                                    \
  vllm::paged_attention_v1_kernel<T, HEAD_SIZE, BLOCK_SIZE, NUM_THREADS>                                 \
      <<<grid, block, shared_mem_size, stream>>>(out_ptr, query_ptr, key_cache_ptr, value_cache_ptr,     \
                                                 num_kv_heads, scale, block_tables_ptr, seq_lens_ptr,    \
                                                 max_num_blocks_per_seq, alibi_slopes_ptr, q_stride);

template <typename T, int BLOCK_SIZE, int NUM_THREADS = 128>
void paged_attention_v1_launcher(torch::Tensor& out, torch::Tensor& query, torch::Tensor& key_cache, torch::Tensor& value_cache,
                                 int num_kv_heads, float scale, torch::Tensor& block_tables, torch::Tensor& seq_lens,
                                 int max_seq_len, const std::optional<torch::Tensor>& alibi_slopes) {
  int num_seqs = query.size(0), num_heads = query.size(1), head_size = query.size(2);
  int max_num_blocks_per_seq = block_tables.size(1), q_stride = query.stride(0);
  const float* alibi_slopes_ptr = alibi_slopes ? reinterpret_cast<const float*>(alibi_slopes.value().data_ptr()) : nullptr;
  T* out_ptr = reinterpret_cast<T*>(out.data_ptr());
  T* query_ptr = reinterpret_cast<T*>(query.data_ptr());
  T* key_cache_ptr = reinterpret_cast<T*>(key_cache.data_ptr());
  T* value_cache_ptr = reinterpret_cast<T*>(value_cache.data_ptr());
  int* block_tables_ptr = block_tables.data_ptr<int>();
  int* seq_lens_ptr = seq_lens.data_ptr<int>();
  const int NUM_WARPS = NUM_THREADS / WARP_SIZE;
  int padded_max_seq_len = DIVIDE_ROUND_UP(max_seq_len, BLOCK_SIZE) * BLOCK_SIZE;
  int logits_size = padded_max_seq_len * sizeof(float);
  int outputs_size = (NUM_WARPS / 2) * head_size * sizeof(float);
  int shared_mem_size = std::max(logits_size, outputs_size);
  dim3 grid(num_heads, num_seqs, 1);
  dim3 block(NUM_THREADS);
  const at::cuda::OptionalCUDAGuard device_guard(device_of(query));
  const cudaStream_t stream = at::cuda::getCurrentCUDAStream();
  switch (head_size) {
    case 16:
      LAUNCH_PAGED_ATTENTION_V1(16);
      break;
    case 32:
      LAUNCH_PAGED_ATTENTION_V1(32);
      break;
    case 64:
      LAUNCH_PAGED_ATTENTION_V1(64);
      break;
    default:
      TORCH_CHECK(false, "Unsupported head size: ", head_size);
      break;
  }
}

#define CALL_V1_LAUNCHER(T, BLOCK_SIZE) \
  paged_attention_v1_launcher<T, BLOCK_SIZE>(out, query, key_cache, value_cache, num_kv_heads, scale, block_tables, seq_lens, max_seq_len, alibi_slopes);
#define CALL_V1_LAUNCHER_BLOCK_SIZE(T)                             \
  switch (block_size) {                                            \
    case 8: CALL_V1_LAUNCHER(T, 8); break;                         \
    case 16: CALL_V1_LAUNCHER(T, 16); break;                       \
    case 32: CALL_V1_LAUNCHER(T, 32); break;                       \
    default: TORCH_CHECK(false, "Unsupported block size: ", block_size); break; \
  }

void paged_attention_v1(torch::Tensor& out, torch::Tensor& query, torch::Tensor& key_cache, torch::Tensor& value_cache,
                        int64_t num_kv_heads, double scale, torch::Tensor& block_tables, torch::Tensor& seq_lens,
                        int64_t block_size, int64_t max_seq_len, const std::optional<torch::Tensor>& alibi_slopes) {
  if (query.dtype() == at::ScalarType::Float) {
    CALL_V1_LAUNCHER_BLOCK_SIZE(float);
  } else if (query.dtype() == at::ScalarType::Half) {
    CALL_V1_LAUNCHER_BLOCK_SIZE(at::Half);
  } else {
    TORCH_CHECK(false, "Unsupported data type: ", query.dtype());
  }
}
#undef WARP_SIZE
"""
extension = load_inline(
    name="extension",
    cpp_sources=cpp_source,
    cuda_sources=cuda_source,
    functions=["paged_attention_v1"],
    verbose=False,
)


class ModelNew(torch.nn.Module):
    def forward(self, q, k_pages, v_pages, table, lengths):
        q = q.contiguous()
        out = torch.empty_like(q)
        size = k_pages.shape[1]
        extension.paged_attention_v1(
            out,
            q,
            k_pages.contiguous(),
            v_pages.contiguous(),
            k_pages.shape[2],
            q.shape[-1] ** -0.5,
            table.to(torch.int32),
            lengths.to(torch.int32),
            size,
            table.shape[1] * size,
            None,
        )
        return out
