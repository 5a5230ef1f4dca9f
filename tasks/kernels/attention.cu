// Causal attention without the matrix of scores: out = softmax(masked q @ k^T / sqrt(dim)) @ v for each head.
// q, k, v and out are row-major float32 [heads, length, dim].
//
// A warp owns QUERIES queries; a lane holds their scores against one key of a tile, and every 32nd column of results.
#include <cuda_runtime.h>
#include <math.h>

constexpr int WARP = 32;
constexpr int WARPS = 4;
constexpr int THREADS = WARP * WARPS;
constexpr int QUERIES = 8;  // of one warp
constexpr int TILE_Q = WARPS * QUERIES;
constexpr int TILE_K = WARP;
constexpr unsigned ALL = 0xffffffffu;

__device__ __forceinline__ float warp_max(float v) {
#pragma unroll
  for (int offset = WARP / 2; offset > 0; offset /= 2) v = fmaxf(v, __shfl_xor_sync(ALL, v, offset));
  return v;
}

__device__ __forceinline__ float warp_sum(float v) {
#pragma unroll
  for (int offset = WARP / 2; offset > 0; offset /= 2) v += __shfl_xor_sync(ALL, v, offset);
  return v;
}

// Rows `row0` and on of a head into shared memory, zeros behind its end. Rows have `pitch` elements there.
template <int DIM>
__device__ void load_tile(const float* from, float* to, int row0, int rows, int length, int pitch, float scale) {
  for (int at = threadIdx.x; at < rows * (DIM / 4); at += THREADS) {
    const int row = at / (DIM / 4), col = at % (DIM / 4) * 4;
    float4 v = {};
    if (row0 + row < length) v = reinterpret_cast<const float4*>(from)[row0 * (DIM / 4) + at];
    float* place = to + row * pitch + col;
    place[0] = v.x * scale;
    place[1] = v.y * scale;
    place[2] = v.z * scale;
    place[3] = v.w * scale;
  }
}

template <int DIM>
__global__ void __launch_bounds__(THREADS)
    attention_kernel(const float* q, const float* k, const float* v, float* out, int length) {
  constexpr int COLS = DIM / WARP;  // columns of the result that one lane adds up
  // Lanes read the same column of neighbouring keys: one element more keeps them in different memory banks.
  constexpr int PITCH_K = DIM + 1;
  extern __shared__ float shared[];
  float* tile_q = shared;
  float* tile_k = tile_q + TILE_Q * DIM;
  float* tile_v = tile_k + TILE_K * PITCH_K;

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

  const int end = min(query0 + TILE_Q, length);  // later keys are seen by no query of this block
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
      if (key > query || key >= length) score[i] = -INFINITY;
      const float before = largest[i];
      largest[i] = fmaxf(before, warp_max(score[i]));  // finite from the first tile on: key 0 is seen by all
      const float decay = expf(before - largest[i]);
      score[i] = expf(score[i] - largest[i]);
      sum[i] = sum[i] * decay + warp_sum(score[i]);
#pragma unroll
      for (int c = 0; c < COLS; ++c) result[i][c] *= decay;
    }

    for (int j = 0; j < TILE_K; ++j) {
#pragma unroll
      for (int i = 0; i < QUERIES; ++i) {
        const float weight = __shfl_sync(ALL, score[i], j);
#pragma unroll
        for (int c = 0; c < COLS; ++c) result[i][c] += weight * tile_v[j * DIM + c * WARP + lane];
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

template <int DIM>
void launch(const float* q, const float* k, const float* v, float* out, int heads, int length) {
  const int bytes = 4 * (TILE_Q * DIM + TILE_K * (DIM + 1) + TILE_K * DIM);
  // More than 48 KiB has to be asked for.
  cudaFuncSetAttribute(attention_kernel<DIM>, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
  const dim3 grid((length + TILE_Q - 1) / TILE_Q, heads);
  attention_kernel<DIM><<<grid, THREADS, bytes>>>(q, k, v, out, length);
}

// dim is 32, 64 or 128; with any other nothing is written.
extern "C" void attention(const float* q, const float* k, const float* v, float* out, int heads, int length, int dim) {
  if (heads <= 0 || length <= 0) return;
  if (dim == 32) launch<32>(q, k, v, out, heads, length);
  if (dim == 64) launch<64>(q, k, v, out, heads, length);
  if (dim == 128) launch<128>(q, k, v, out, heads, length);
}
