// Attention without the matrix of scores: out = softmax(q @ k^T / sqrt(dim), rows masked if causal) @ v for each head.
// q, k, v and out are row-major float32 [heads, length, dim]; heads counts all heads of all batches.
//
// A warp owns QUERIES queries; its lanes hold their scores against one tile of 32 keys, turn them into weights with a
// running maximum and sum, and add up weighted values, each lane for every 32nd column.
#include <cuda_runtime.h>
#include <math.h>

constexpr int WARP = 32;
constexpr int WARPS = 4;
constexpr int THREADS = WARP * WARPS;
constexpr int QUERIES = 8;  // of one warp
constexpr int TILE_Q = WARPS * QUERIES;
constexpr int TILE_K = WARP;

__device__ __forceinline__ float warp_max(float v) {
#pragma unroll
  for (int offset = WARP / 2; offset > 0; offset /= 2) v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, offset));
  return v;
}

__device__ __forceinline__ float warp_sum(float v) {
#pragma unroll
  for (int offset = WARP / 2; offset > 0; offset /= 2) v += __shfl_xor_sync(0xffffffffu, v, offset);
  return v;
}

// Rows `row0` and on of a head into shared memory, zeros behind its end. Rows have `pitch` elements there.
template <int DIM>
__device__ __forceinline__ void load_tile(const float* __restrict__ from, float* to, int row0, int rows, int length,
                                          int pitch, float scale) {
  for (int at = threadIdx.x; at < rows * (DIM / 4); at += THREADS) {
    const int row = at / (DIM / 4), col = at % (DIM / 4) * 4;
    float4 v = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    if (row0 + row < length) {
      v = *reinterpret_cast<const float4*>(from + static_cast<size_t>(row0 + row) * DIM + col);
    }
    float* place = to + row * pitch + col;
    place[0] = v.x * scale;
    place[1] = v.y * scale;
    place[2] = v.z * scale;
    place[3] = v.w * scale;
  }
}

template <int DIM, bool CAUSAL>
__global__ void __launch_bounds__(THREADS) attention_kernel(const float* __restrict__ q, const float* __restrict__ k,
                                                            const float* __restrict__ v, float* __restrict__ out,
                                                            int length) {
  constexpr int COLS = DIM / WARP;  // columns of the result that one lane adds up
  // Lanes read the same column of neighbouring keys: one element more keeps them in different memory banks.
  constexpr int PITCH_K = DIM + 1;
  extern __shared__ float shared[];
  float* tile_q = shared;
  float* tile_k = tile_q + TILE_Q * DIM;
  float* tile_v = tile_k + TILE_K * PITCH_K;
  float* weights = tile_v + TILE_K * DIM;

  const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
  const size_t head = static_cast<size_t>(blockIdx.y) * length * DIM;
  const int query0 = blockIdx.x * TILE_Q;
  load_tile<DIM>(q + head, tile_q, query0, TILE_Q, length, DIM, rsqrtf(static_cast<float>(DIM)));

  float largest[QUERIES], sum[QUERIES], result[QUERIES][COLS];
#pragma unroll
  for (int i = 0; i < QUERIES; ++i) {
    largest[i] = -INFINITY;
    sum[i] = 0.0f;
#pragma unroll
    for (int c = 0; c < COLS; ++c) result[i][c] = 0.0f;
  }
  const float* my_q = tile_q + warp * QUERIES * DIM;
  float* my_weights = weights + warp * QUERIES * TILE_K;

  const int end = CAUSAL && query0 + TILE_Q < length ? query0 + TILE_Q : length;
  for (int key0 = 0; key0 < end; key0 += TILE_K) {
    __syncthreads();  // all warps are done with the tiles before
    load_tile<DIM>(k + head, tile_k, key0, TILE_K, length, PITCH_K, 1.0f);
    load_tile<DIM>(v + head, tile_v, key0, TILE_K, length, DIM, 1.0f);
    __syncthreads();

    float score[QUERIES] = {};
#pragma unroll 8
    for (int d = 0; d < DIM; ++d) {
      const float key = tile_k[lane * PITCH_K + d];
#pragma unroll
      for (int i = 0; i < QUERIES; ++i) score[i] += my_q[i * DIM + d] * key;
    }

#pragma unroll
    for (int i = 0; i < QUERIES; ++i) {
      const int key = key0 + lane, query = query0 + warp * QUERIES + i;
      const bool seen = key < length && (!CAUSAL || key <= query);
      const float mine = seen ? score[i] : -INFINITY;
      const float before = largest[i];
      // A warp may see none of a tile's keys.
      largest[i] = fmaxf(before, warp_max(mine));
      const float shift = largest[i] == -INFINITY ? 0.0f : largest[i];
      const float weight = seen ? expf(mine - shift) : 0.0f;
      const float decay = before == -INFINITY ? 0.0f : expf(before - shift);
      sum[i] = sum[i] * decay + warp_sum(weight);
      my_weights[i * TILE_K + lane] = weight;
#pragma unroll
      for (int c = 0; c < COLS; ++c) result[i][c] *= decay;
    }
    __syncwarp();

    for (int j = 0; j < TILE_K; ++j) {
      float value[COLS];
#pragma unroll
      for (int c = 0; c < COLS; ++c) value[c] = tile_v[j * DIM + c * WARP + lane];
#pragma unroll
      for (int i = 0; i < QUERIES; ++i) {
        const float weight = my_weights[i * TILE_K + j];
#pragma unroll
        for (int c = 0; c < COLS; ++c) result[i][c] += weight * value[c];
      }
    }
  }

#pragma unroll
  for (int i = 0; i < QUERIES; ++i) {
    const int query = query0 + warp * QUERIES + i;
    if (query < length) {
#pragma unroll
      for (int c = 0; c < COLS; ++c) {
        out[head + static_cast<size_t>(query) * DIM + c * WARP + lane] = result[i][c] / sum[i];
      }
    }
  }
}

template <int DIM, bool CAUSAL>
void launch(const float* q, const float* k, const float* v, float* out, int heads, int length) {
  const int bytes = 4 * (TILE_Q * DIM + TILE_K * (DIM + 1) + TILE_K * DIM + TILE_Q * TILE_K);
  // More than 48 KiB has to be asked for.
  cudaFuncSetAttribute(attention_kernel<DIM, CAUSAL>, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
  const dim3 grid((length + TILE_Q - 1) / TILE_Q, heads);
  attention_kernel<DIM, CAUSAL><<<grid, THREADS, bytes>>>(q, k, v, out, length);
}

template <int DIM>
void launch_for(const float* q, const float* k, const float* v, float* out, int heads, int length, bool causal) {
  causal ? launch<DIM, true>(q, k, v, out, heads, length) : launch<DIM, false>(q, k, v, out, heads, length);
}

// dim is 32, 64 or 128; with any other nothing is written.
extern "C" void attention(const float* q, const float* k, const float* v, float* out, int heads, int length, int dim,
                          int causal) {
  if (heads <= 0 || length <= 0) return;
  if (dim == 32) launch_for<32>(q, k, v, out, heads, length, causal != 0);
  if (dim == 64) launch_for<64>(q, k, v, out, heads, length, causal != 0);
  if (dim == 128) launch_for<128>(q, k, v, out, heads, length, causal != 0);
}
