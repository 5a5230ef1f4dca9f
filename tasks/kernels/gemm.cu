// out = relu(x @ weight + bias), all row-major float32: x [m, k], weight [k, n], bias [n], out [m, n].
//
// Each block computes a TILE_M x TILE_N piece of `out`, walking along k in steps of TILE_K through two
// shared-memory buffers: while one is multiplied, the next tile already travels from global memory into
// registers. Each thread keeps a PER_THREAD x PER_THREAD piece of the sum in registers. No dimension has
// to divide by anything: elements outside the matrices are read as zero and never written.
#include <cuda_runtime.h>

constexpr int TILE_M = 64;
constexpr int TILE_N = 64;
constexpr int TILE_K = 16;
constexpr int PER_THREAD = 4;
constexpr int THREADS_X = TILE_N / PER_THREAD;
constexpr int THREADS_Y = TILE_M / PER_THREAD;
constexpr int THREADS = THREADS_X * THREADS_Y;
constexpr int LOADS_X = TILE_M * TILE_K / THREADS;
constexpr int LOADS_W = TILE_K * TILE_N / THREADS;
// One column more than the tile: x is stored transposed, and the extra column keeps threads that store
// neighbouring k out of each other's memory bank.
constexpr int PITCH_X = TILE_M + 1;

__global__ void __launch_bounds__(THREADS) gemm_bias_relu_kernel(
    const float* __restrict__ x, const float* __restrict__ weight, const float* __restrict__ bias,
    float* __restrict__ out, int m, int n, int k) {
  __shared__ float tile_x[2][TILE_K][PITCH_X];
  __shared__ float tile_w[2][TILE_K][TILE_N];

  const int row0 = blockIdx.y * TILE_M;
  const int col0 = blockIdx.x * TILE_N;
  const int thread = threadIdx.y * THREADS_X + threadIdx.x;

  float next_x[LOADS_X];
  float next_w[LOADS_W];
  float sum[PER_THREAD][PER_THREAD] = {};

  const int steps = (k + TILE_K - 1) / TILE_K;
  for (int step = -1; step < steps; ++step) {
    const int k0 = (step + 1) * TILE_K;
    if (step + 1 < steps) {
#pragma unroll
      for (int i = 0; i < LOADS_X; ++i) {
        const int at = thread + i * THREADS;
        const int row = row0 + at / TILE_K;
        const int depth = k0 + at % TILE_K;
        next_x[i] = row < m && depth < k ? x[static_cast<size_t>(row) * k + depth] : 0.0f;
      }
#pragma unroll
      for (int i = 0; i < LOADS_W; ++i) {
        const int at = thread + i * THREADS;
        const int depth = k0 + at / TILE_N;
        const int col = col0 + at % TILE_N;
        next_w[i] = depth < k && col < n ? weight[static_cast<size_t>(depth) * n + col] : 0.0f;
      }
    }

    if (step >= 0) {
      const int buffer = step % 2;
#pragma unroll
      for (int depth = 0; depth < TILE_K; ++depth) {
        float a[PER_THREAD];
        float b[PER_THREAD];
#pragma unroll
        for (int i = 0; i < PER_THREAD; ++i) {
          a[i] = tile_x[buffer][depth][threadIdx.y * PER_THREAD + i];
          b[i] = tile_w[buffer][depth][threadIdx.x + i * THREADS_X];
        }
#pragma unroll
        for (int i = 0; i < PER_THREAD; ++i) {
#pragma unroll
          for (int j = 0; j < PER_THREAD; ++j) {
            sum[i][j] += a[i] * b[j];
          }
        }
      }
    }

    if (step + 1 < steps) {
      const int buffer = (step + 1) % 2;
#pragma unroll
      for (int i = 0; i < LOADS_X; ++i) {
        const int at = thread + i * THREADS;
        tile_x[buffer][at % TILE_K][at / TILE_K] = next_x[i];
      }
#pragma unroll
      for (int i = 0; i < LOADS_W; ++i) {
        const int at = thread + i * THREADS;
        tile_w[buffer][at / TILE_N][at % TILE_N] = next_w[i];
      }
      // One barrier a step is enough: the buffer that is filled after it was last read before it.
      __syncthreads();
    }
  }

#pragma unroll
  for (int i = 0; i < PER_THREAD; ++i) {
    const int row = row0 + threadIdx.y * PER_THREAD + i;
#pragma unroll
    for (int j = 0; j < PER_THREAD; ++j) {
      const int col = col0 + threadIdx.x + j * THREADS_X;
      if (row < m && col < n) {
        const float value = sum[i][j] + bias[col];
        // Not fmaxf: a NaN must stay a NaN, as in torch.relu.
        out[static_cast<size_t>(row) * n + col] = value < 0.0f ? 0.0f : value;
      }
    }
  }
}

extern "C" void gemm_bias_relu(const float* x, const float* weight, const float* bias, float* out, int m, int n,
                               int k) {
  if (m <= 0 || n <= 0) {
    return;
  }
  const dim3 block(THREADS_X, THREADS_Y);
  const dim3 grid((n + TILE_N - 1) / TILE_N, (m + TILE_M - 1) / TILE_M);
  gemm_bias_relu_kernel<<<grid, block>>>(x, weight, bias, out, m, n, k);
}
