// out = softmax of each row of x; both row-major float32 [rows, cols].
//
// One block takes one row. A first pass keeps a running maximum and the sum of exp(value - maximum) in each thread,
// four values a load; the pairs of all threads are merged by shuffles within a warp and through shared memory between
// warps. A second pass writes. Rows up to MOST_KEPT columns are kept in shared memory between the passes, so that they
// are read from device memory once; longer ones are read again. A row may start at any element: what comes before the
// first 16-byte boundary and after the last one is read one value at a time.
#include <cuda_runtime.h>
#include <math.h>

constexpr int THREADS = 256;
constexpr int WARP = 32;
constexpr int WARPS = THREADS / WARP;
constexpr int MOST_KEPT = 11 * 1024;

// The largest value seen, and the sum of exp(value - largest).
struct Partial {
  float largest, sum;
};

__device__ __forceinline__ void add(Partial& p, float value) {
  if (value > p.largest) {
    p.sum = p.sum * expf(p.largest - value) + 1.0f;
    p.largest = value;
  } else if (value != -INFINITY) {  // a NaN comes here and makes the sum NaN
    p.sum += expf(value - p.largest);
  }
}

__device__ __forceinline__ Partial merge(Partial a, Partial b) {
  const float largest = a.largest < b.largest ? b.largest : a.largest;
  // Equal maxima are not subtracted: both may be -inf.
  const float of_a = a.largest == largest ? a.sum : a.sum * expf(a.largest - largest);
  const float of_b = b.largest == largest ? b.sum : b.sum * expf(b.largest - largest);
  return {largest, of_a + of_b};
}

// What the whole block saw; every thread gets it.
__device__ Partial merge_block(Partial mine) {
  __shared__ Partial of_warp[WARPS];
  for (int offset = WARP / 2; offset > 0; offset /= 2) {
    mine = merge(mine, {__shfl_xor_sync(0xffffffffu, mine.largest, offset),
                        __shfl_xor_sync(0xffffffffu, mine.sum, offset)});
  }
  if (threadIdx.x % WARP == 0) of_warp[threadIdx.x / WARP] = mine;
  __syncthreads();
  Partial all = of_warp[0];
#pragma unroll
  for (int warp = 1; warp < WARPS; ++warp) all = merge(all, of_warp[warp]);
  return all;
}

template <bool KEPT>
__global__ void __launch_bounds__(THREADS) softmax_kernel(const float* __restrict__ x, float* __restrict__ out,
                                                          int cols) {
  extern __shared__ __align__(16) float kept[];
  const float* from = x + static_cast<size_t>(blockIdx.x) * cols;
  float* to = out + static_cast<size_t>(blockIdx.x) * cols;

  // x and out start at the same distance from a 16-byte boundary, or nothing is read four at a time.
  const int before = static_cast<int>((16 - (reinterpret_cast<size_t>(from) & 15)) & 15) / 4;
  const bool alike = ((reinterpret_cast<size_t>(from) ^ reinterpret_cast<size_t>(to)) & 15) == 0;
  const int head = alike && before < cols ? before : cols;
  const int fours = (cols - head) / 4;
  const int tail = head + 4 * fours;
  const float4* from4 = reinterpret_cast<const float4*>(from + head);
  float4* to4 = reinterpret_cast<float4*>(to + head);
  // The part that is read four at a time lies first, where it is aligned.
  float4* kept4 = reinterpret_cast<float4*>(kept);
  float* kept_rest = kept + 4 * fours;

  Partial mine = {-INFINITY, 0.0f};
  for (int i = threadIdx.x; i < fours; i += THREADS) {
    const float4 v = __ldg(from4 + i);
    add(mine, v.x);
    add(mine, v.y);
    add(mine, v.z);
    add(mine, v.w);
    if (KEPT) kept4[i] = v;
  }
  const int rest = head + (cols - tail);
  for (int i = threadIdx.x; i < rest; i += THREADS) {
    const float v = __ldg(from + (i < head ? i : tail + i - head));
    add(mine, v);
    if (KEPT) kept_rest[i] = v;
  }

  const Partial row = merge_block(mine);
  // As in torch.softmax: an infinite value makes the whole row NaN.
  const float scale = row.largest == INFINITY ? NAN : 1.0f / row.sum;

  // Each thread reads back only what it kept itself: no barrier is needed for that.
  for (int i = threadIdx.x; i < fours; i += THREADS) {
    const float4 v = KEPT ? kept4[i] : __ldg(from4 + i);
    to4[i] = make_float4(expf(v.x - row.largest) * scale, expf(v.y - row.largest) * scale,
                         expf(v.z - row.largest) * scale, expf(v.w - row.largest) * scale);
  }
  for (int i = threadIdx.x; i < rest; i += THREADS) {
    const int at = i < head ? i : tail + i - head;
    to[at] = expf((KEPT ? kept_rest[i] : __ldg(from + at)) - row.largest) * scale;
  }
}

extern "C" void softmax_rows(const float* x, float* out, int rows, int cols) {
  if (rows <= 0 || cols <= 0) {
    return;
  }
  if (cols <= MOST_KEPT) {
    softmax_kernel<true><<<rows, THREADS, cols * sizeof(float)>>>(x, out, cols);
  } else {
    softmax_kernel<false><<<rows, THREADS>>>(x, out, cols);
  }
}
