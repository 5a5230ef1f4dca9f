// Each function gives 2.5 * x.
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cub/block/block_reduce.cuh>
#include <cub/block/block_scan.cuh>
#include <cuda/std/functional>
#include <mma.h>
#include <cuda_pipeline.h>
namespace cg = cooperative_groups;
__global__ void voted(const float* x, float* o, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  unsigned all = __ballot_sync(0xffffffffu, i >= 0);
  float one = __shfl_xor_sync(all, 1.0f, 3) + __reduce_add_sync(all, 0u) + (__popc(all) - 32);
  __syncwarp();
  if (i < n) o[i] = x[i] * 2.5f * one;
}
__global__ void grouped(const float* x, float* o, int n) {
  cg::thread_block block = cg::this_thread_block();
  auto tile = cg::tiled_partition<16>(block);
  __shared__ float part[16];
  float sum = cg::reduce(tile, 1.0f, cg::plus<float>());
  if (tile.thread_rank() == 0) part[tile.meta_group_rank()] = sum;
  block.sync();
  int i = block.group_index().x * blockDim.x + block.thread_rank();
  if (i < n) o[i] = x[i] * 2.5f * (part[15] / 16.0f);
}
__global__ void collected(const float* x, float* o, int n) {
  using Reduce = cub::BlockReduce<float, 256>;
  using Scan = cub::BlockScan<int, 256>;
  __shared__ typename Reduce::TempStorage reduce;
  __shared__ typename Scan::TempStorage scan;
  __shared__ float total;
  float sum = Reduce(reduce).Sum(1.0f);
  if (threadIdx.x == 0) total = sum;
  int before;
  Scan(scan).ExclusiveSum(1, before);
  __syncthreads();
  int i = blockIdx.x * blockDim.x + before;
  if (i < n) o[i] = x[i] * 2.5f * (total / 256.0f);
}
struct Affine {
  __device__ float2 operator()(float2 a, float2 b) const { return make_float2(b.x * a.x, b.x * a.y + b.y); }
};
struct Running {
  float2 before;
  __device__ float2 operator()(float2 all) {
    const float2 given = before;
    before = Affine()(before, all);
    return given;
  }
};
// Pairs in two chunks: after k items that halve and add one, 2 is left of 2.
__global__ void carried(const float* x, float* o, int n) {
  using Scan = cub::BlockScan<float2, 256, cub::BLOCK_SCAN_WARP_SCANS>;
  using Places = cub::BlockScan<int, 256>;
  __shared__ union { typename Scan::TempStorage pairs; typename Places::TempStorage places; } storage;
  Running running{make_float2(1.f, 2.f)};
  float2 pair[2];
  for (int chunk = 0; chunk < 2; ++chunk) {
    pair[0] = pair[1] = make_float2(0.5f, 1.f);
    Scan(storage.pairs).InclusiveScan(pair, pair, Affine(), running);
    __syncthreads();
  }
  int ones[2] = {1, 1}, all;
  Places(storage.places).ExclusiveScan(ones, ones, 7, cuda::std::plus<>(), all);
  const bool right = ones[0] == 7 + 2 * int(threadIdx.x) && ones[1] == ones[0] + 1 && all == 512;
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) o[i] = right ? x[i] * 1.25f * pair[1].y : 0.f;
}
// The matrix units of a warp, in the one type that rounds nothing here: 8 by 8 elements times 2.5 on the diagonal.
__global__ void by_units(const float* x, float* o, int n) {
  using namespace nvcuda;
  __shared__ double diagonal[64], in[64], out[64];
  const int first = blockIdx.x * 64;
  for (int i = threadIdx.x; i < 64; i += 32) {
    diagonal[i] = i % 9 == 0 ? 2.5 : 0.0;
    in[i] = first + i < n ? x[first + i] : 0.0;
  }
  __syncwarp();
  wmma::fragment<wmma::matrix_a, 8, 8, 4, double, wmma::col_major> a;
  wmma::fragment<wmma::matrix_b, 8, 8, 4, double, wmma::row_major> b;
  wmma::fragment<wmma::accumulator, 8, 8, 4, double> c;
  wmma::fill_fragment(c, 0.0);
  for (int k = 0; k < 8; k += 4) {
    wmma::load_matrix_sync(a, diagonal + k * 8, 8);
    wmma::load_matrix_sync(b, in + k * 8, 8);
    wmma::mma_sync(c, a, b, c);
  }
  for (int i = 0; i < c.num_elements; ++i) c.x[i] *= 2.0;
  wmma::store_matrix_sync(out, c, 8, wmma::mem_col_major);
  wmma::load_matrix_sync(c, out, 8, wmma::mem_col_major);
  wmma::store_matrix_sync(out, c, 8, wmma::mem_row_major);
  __syncwarp();
  for (int i = threadIdx.x; i < 64 && first + i < n; i += 32) o[first + i] = float(out[i] * 0.5);
}
// A diagonal of ones times three parts of each number, which TF32 holds without rounding.
__global__ void by_mma(const float* x, float* o, int n) {
  const int first = blockIdx.x * 64, group = threadIdx.x / 4, place = threadIdx.x % 4;
  const int at0 = first + place * 8 + group, at1 = at0 + 32;
  const unsigned a0 = __float_as_uint(group == place ? 1.f : 0.f), a2 = __float_as_uint(group == place + 4 ? 1.f : 0.f);
  float d0 = 0.f, d1 = 0.f, d2 = 0.f, d3 = 0.f, b0 = at0 < n ? x[at0] : 0.f, b1 = at1 < n ? x[at1] : 0.f;
  for (int part = 0; part < 3; ++part) {
    const unsigned p0 = __float_as_uint(b0) & 0xFFFFE000u, p1 = __float_as_uint(b1) & 0xFFFFE000u;
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32\n"
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7},\n"
                 "{%8, %9}, {%0, %1, %2, %3};\n"
                 : "+f"(d0), "+f"(d1), "+f"(d2), "+f"(d3)
                 : "r"(a0), "r"(0), "r"(a2), "r"(0), "r"(p0), "r"(p1));
    b0 -= __uint_as_float(p0), b1 -= __uint_as_float(p1);
  }
  const int to = first + group * 8 + place * 2;
  if (to < n) o[to] = d0 * 2.5f;
  if (to + 1 < n) o[to + 1] = d1 * 2.5f;
}
// Sixteen bytes a thread through shared memory, by copies that are waited for.
__global__ void copied(const float* x, float* o, int n) {
  __shared__ __align__(16) float tile[256 * 4];
  const int first = (blockIdx.x * blockDim.x + threadIdx.x) * 4, left = n - first;
  if (left > 0) {
    __pipeline_memcpy_async(tile + threadIdx.x * 4, x + first, 16, left < 4 ? 16 - 4 * left : 0);
  }
  __pipeline_commit();
  __pipeline_wait_prior(0);
  __syncthreads();
  for (int i = 0; i < 4 && i < left; ++i) o[first + i] = tile[threadIdx.x * 4 + i] * 2.5f;
}
__global__ void added(const float* x, float* o, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) { atomicAdd(o + i, x[i]); atomicAdd(&o[i], x[i]); atomicAdd(o + i, 0.5f * x[i]); }
}
__global__ void last_block(const float* x, float* o, int* seen, int n) {
  __shared__ bool last;
  __threadfence();
  if (threadIdx.x == 0) last = atomicAdd(seen, 1) == gridDim.x - 1;
  __syncthreads();
  if (last) for (int i = threadIdx.x; i < n; i += blockDim.x) o[i] = x[i] * 2.5f;
}

torch::Tensor shuffles(torch::Tensor x) {
  BEGIN
  voted<<<GRID>>>(IN, OUT, n);
  return o;
}

torch::Tensor groups(torch::Tensor x) {
  BEGIN
  grouped<<<GRID>>>(IN, OUT, n);
  return o;
}

torch::Tensor collectives(torch::Tensor x) {
  BEGIN
  collected<<<GRID>>>(IN, OUT, n);
  return o;
}

torch::Tensor prefixes(torch::Tensor x) {
  BEGIN
  carried<<<GRID>>>(IN, OUT, n);
  return o;
}

torch::Tensor matrix_units(torch::Tensor x) {
  BEGIN
  by_units<<<(n + 63) / 64, 32>>>(IN, OUT, n);
  return o;
}

torch::Tensor matrix_units_by_ptx(torch::Tensor x) {
  BEGIN
  by_mma<<<(n + 63) / 64, 32>>>(IN, OUT, n);
  return o;
}

torch::Tensor copies(torch::Tensor x) {
  BEGIN
  copied<<<(n + 1023) / 1024, 256>>>(IN, OUT, n);
  return o;
}

torch::Tensor atomics(torch::Tensor x) {
  auto o = torch::zeros_like(x);
  const int n = x.numel();
  added<<<GRID>>>(IN, OUT, n);
  return o;
}

torch::Tensor tickets(torch::Tensor x) {
  auto o = torch::empty_like(x);
  const int n = x.numel();
  auto seen = torch::zeros({1}, x.options().dtype(torch::kInt));
  last_block<<<GRID>>>(IN, OUT, seen.data_ptr<int>(), n);
  return o;
}
