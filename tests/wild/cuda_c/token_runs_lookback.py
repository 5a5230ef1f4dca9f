"""operator: token_runs
dsl: cuda_c
does: a scan in one pass: blocks take tickets, publish sums and look back at those of blocks before them
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
from torch.utils.cpp_extension import load_inline

src = r"""
#include <torch/extension.h>
#define FLAG_AGGREGATE 1ull
#define FLAG_PREFIX 2ull
__device__ __forceinline__ unsigned long long ld_acquire(unsigned long long* p) {
  unsigned long long v;
  asm volatile("ld.acquire.gpu.global.u64 %0, [%1];" : "=l"(v) : "l"(p) : "memory");
  return v;
}
template <int B>
__global__ void scan(const int64_t* __restrict__ x, bool* __restrict__ first, int64_t* __restrict__ out, unsigned long long* status, int* ticket, int n, int tiles) {
  __shared__ int tile_s, warp_sums[B / 32], prefix_s;
  if (threadIdx.x == 0) tile_s = atomicAdd(ticket, 1);
  __syncthreads();
  const int tile = tile_s, row = tile / tiles, t = tile % tiles, i = t * B + threadIdx.x;
  int v = 0;
  if (i < n) { v = i == 0 || x[row * n + i] != x[row * n + i - 1]; first[row * n + i] = v; }
  int s = v;
  for (int o = 1; o < 32; o <<= 1) { const int u = __shfl_up_sync(~0u, s, o); if ((threadIdx.x & 31) >= o) s += u; }
  if ((threadIdx.x & 31) == 31) warp_sums[threadIdx.x / 32] = s;
  __syncthreads();
  int before = 0, total = 0;
  for (int w = 0; w < B / 32; ++w) { if (w < threadIdx.x / 32) before += warp_sums[w]; total += warp_sums[w]; }
  if (threadIdx.x == 0) {
    unsigned long long* mine = status + tile;
    if (t == 0) { prefix_s = 0; __threadfence(); atomicExch(mine, FLAG_PREFIX << 32 | (unsigned)total); }
    else {
      __threadfence();
      atomicExch(mine, FLAG_AGGREGATE << 32 | (unsigned)total);
      int sum = 0;
      for (int p = tile - 1; ; --p) {
        unsigned long long w;
        do { w = ld_acquire(status + p); } while ((w >> 32) == 0);
        sum += (int)(unsigned)w;
        if (w >> 32 == FLAG_PREFIX) break;
      }
      prefix_s = sum;
      __threadfence();
      atomicExch(mine, FLAG_PREFIX << 32 | (unsigned)(sum + total));
    }
  }
  __syncthreads();
  if (i < n) out[row * n + i] = prefix_s + before + s - 1;
}
std::vector<torch::Tensor> runs(torch::Tensor x) {
  x = x.contiguous();
  constexpr int B = 64;
  const int rows = x.size(0), n = x.size(1), tiles = (n + B - 1) / B;
  auto first = torch::empty(x.sizes(), x.options().dtype(torch::kBool));
  auto out = torch::empty_like(x);
  auto status = torch::zeros({rows * tiles}, x.options());
  auto ticket = torch::zeros({1}, x.options().dtype(torch::kInt));
  scan<B><<<rows * tiles, B>>>(x.data_ptr<int64_t>(), first.data_ptr<bool>(), out.data_ptr<int64_t>(), (unsigned long long*)status.data_ptr<int64_t>(), ticket.data_ptr<int>(), n, tiles);
  return {first, out};
}
"""
m = load_inline("runs_ext", "std::vector<torch::Tensor> runs(torch::Tensor x);", src, ["runs"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        return tuple(m.runs(x))
