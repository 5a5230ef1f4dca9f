// out = (x - mean) / sqrt(variance + EPSILON) * weight + bias for each row of x; all float32, x and out row-major
// [rows, cols], weight and bias [cols]. The variance is that of the row itself (divided by cols).
//
// Welford's method: each thread keeps count, mean and the sum of squared differences of what it has read, which loses
// nothing when the mean is far from zero; the triples are merged by Chan's formula, with shuffles within a warp and
// through shared memory between warps. Short rows take one warp each, several rows a block; long rows take a block.
#include <cuda_runtime.h>

constexpr float EPSILON = 1e-5f;
constexpr int WARP = 32;
constexpr int WARPS = 8;
constexpr int THREADS = WARP * WARPS;
constexpr int MOST_FOR_A_WARP = 1024;

struct Moments {
  float count, mean, squares;
};

__device__ __forceinline__ void add(Moments& m, float value) {
  m.count += 1.0f;
  const float off = value - m.mean;
  m.mean += off / m.count;
  m.squares += off * (value - m.mean);
}

__device__ __forceinline__ Moments merge(Moments a, Moments b) {
  const float count = a.count + b.count;
  if (count == 0.0f) return a;
  const float off = b.mean - a.mean;
  const float share = b.count / count;
  return {count, a.mean + off * share, a.squares + b.squares + off * off * a.count * share};
}

__device__ __forceinline__ Moments merge_warp(Moments m) {
#pragma unroll
  for (int offset = WARP / 2; offset > 0; offset /= 2) {
    m = merge(m, {__shfl_down_sync(0xffffffffu, m.count, offset), __shfl_down_sync(0xffffffffu, m.mean, offset),
                  __shfl_down_sync(0xffffffffu, m.squares, offset)});
  }
  // Lane 0 merged in one fixed order; the others take its result, so that all lanes agree to the last bit.
  return {__shfl_sync(0xffffffffu, m.count, 0), __shfl_sync(0xffffffffu, m.mean, 0),
          __shfl_sync(0xffffffffu, m.squares, 0)};
}

// `first` and `step` say which elements of the row this thread takes: of every four where the row is aligned.
__device__ __forceinline__ Moments read_row(const float* from, int cols, int first, int step, bool aligned) {
  Moments m = {0.0f, 0.0f, 0.0f};
  const int fours = aligned ? cols / 4 : 0;
  for (int i = first; i < fours; i += step) {
    const float4 v = __ldg(reinterpret_cast<const float4*>(from) + i);
    add(m, v.x);
    add(m, v.y);
    add(m, v.z);
    add(m, v.w);
  }
  for (int i = 4 * fours + first; i < cols; i += step) add(m, __ldg(from + i));
  return m;
}

__device__ __forceinline__ void write_row(const float* from, const float* weight, const float* bias, float* to,
                                          int cols, int first, int step, bool aligned, float mean, float scale) {
  const int fours = aligned ? cols / 4 : 0;
  for (int i = first; i < fours; i += step) {
    const float4 v = __ldg(reinterpret_cast<const float4*>(from) + i);
    const float4 w = __ldg(reinterpret_cast<const float4*>(weight) + i);
    const float4 b = __ldg(reinterpret_cast<const float4*>(bias) + i);
    reinterpret_cast<float4*>(to)[i] =
        make_float4((v.x - mean) * scale * w.x + b.x, (v.y - mean) * scale * w.y + b.y,
                    (v.z - mean) * scale * w.z + b.z, (v.w - mean) * scale * w.w + b.w);
  }
  for (int i = 4 * fours + first; i < cols; i += step) to[i] = (from[i] - mean) * scale * weight[i] + bias[i];
}

__device__ __forceinline__ float scale_of(Moments m) { return rsqrtf(m.squares / m.count + EPSILON); }

__global__ void __launch_bounds__(THREADS) layernorm_warp_kernel(
    const float* __restrict__ x, const float* __restrict__ weight, const float* __restrict__ bias,
    float* __restrict__ out, int rows, int cols, bool aligned) {
  const int row = blockIdx.x * WARPS + threadIdx.x / WARP;
  const int lane = threadIdx.x % WARP;
  if (row >= rows) return;  // whole warps leave: those that stay have all their lanes
  const size_t at = static_cast<size_t>(row) * cols;
  const Moments m = merge_warp(read_row(x + at, cols, lane, WARP, aligned));
  write_row(x + at, weight, bias, out + at, cols, lane, WARP, aligned, m.mean, scale_of(m));
}

__global__ void __launch_bounds__(THREADS) layernorm_block_kernel(
    const float* __restrict__ x, const float* __restrict__ weight, const float* __restrict__ bias,
    float* __restrict__ out, int cols, bool aligned) {
  __shared__ Moments of_warp[WARPS];
  const size_t at = static_cast<size_t>(blockIdx.x) * cols;
  const Moments mine = merge_warp(read_row(x + at, cols, threadIdx.x, THREADS, aligned));
  if (threadIdx.x % WARP == 0) of_warp[threadIdx.x / WARP] = mine;
  __syncthreads();
  Moments m = of_warp[0];
#pragma unroll
  for (int warp = 1; warp < WARPS; ++warp) m = merge(m, of_warp[warp]);
  write_row(x + at, weight, bias, out + at, cols, threadIdx.x, THREADS, aligned, m.mean, scale_of(m));
}

extern "C" void layernorm(const float* x, const float* weight, const float* bias, float* out, int rows, int cols) {
  if (rows <= 0 || cols <= 0) {
    return;
  }
  const size_t addresses = reinterpret_cast<size_t>(x) | reinterpret_cast<size_t>(weight) |
                           reinterpret_cast<size_t>(bias) | reinterpret_cast<size_t>(out);
  const bool aligned = cols % 4 == 0 && addresses % 16 == 0;
  if (cols <= MOST_FOR_A_WARP) {
    layernorm_warp_kernel<<<(rows + WARPS - 1) / WARPS, THREADS>>>(x, weight, bias, out, rows, cols, aligned);
  } else {
    layernorm_block_kernel<<<rows, THREADS>>>(x, weight, bias, out, cols, aligned);
  }
}
