"""operator: pairwise_distance
dsl: cuda_c
does: packed accessors and dispatch over floats, tiles of cooperative groups that reduce, restrict traits
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
from torch.utils.cpp_extension import load_inline

cuda_source = r"""
#include <torch/extension.h>
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>

namespace cg = cooperative_groups;
namespace {
template <typename scalar_t>
using In = torch::PackedTensorAccessor32<scalar_t, 2, torch::RestrictPtrTraits>;

template <typename scalar_t, int TILE>
__global__ void distance_kernel(const In<scalar_t> p, const In<scalar_t> c, In<scalar_t> d,
                                torch::PackedTensorAccessor32<int, 1> near,
                                torch::PackedTensorAccessor64<int64_t, 1, torch::RestrictPtrTraits> counts) {
  auto block = cg::this_thread_block();
  auto tile = cg::tiled_partition<TILE>(block);
  const int row = blockIdx.x * tile.meta_group_size() + tile.meta_group_rank();
  if (row >= p.size(0)) return;
  scalar_t best = std::numeric_limits<scalar_t>::infinity();
  int where = 0;
  for (int j = 0; j < c.size(0); ++j) {
    scalar_t s = 0;
    for (int k = tile.thread_rank(); k < p.size(1); k += tile.size()) {
      const scalar_t e = p[row][k] - c[j][k];
      s += e * e;
    }
    s = cg::reduce(tile, s, cg::plus<scalar_t>());
    if (tile.thread_rank() == 0) d[row][j] = s;
    if (s < best) {
      best = s;
      where = j;
    }
  }
  if (tile.thread_rank() == 0) {
    near[row] = where;
    atomicAdd(reinterpret_cast<unsigned long long*>(&counts[where]), 1ULL);
  }
}
}  // namespace

std::tuple<torch::Tensor, torch::Tensor, torch::Tensor> distances(torch::Tensor points, torch::Tensor centres) {
  TORCH_INTERNAL_ASSERT(points.dim() == 2);
  auto n = points.size(0), m = centres.size(0);
  auto d = torch::empty({n, m}, points.options());
  auto near = torch::empty({n}, points.options().dtype(torch::kInt));
  auto counts = torch::zeros({m}, points.options().dtype(torch::kInt64));
  constexpr int TILE = 8, THREADS = 64;
  const dim3 blocks((n + THREADS / TILE - 1) / (THREADS / TILE));
  AT_DISPATCH_FLOATING_TYPES(points.scalar_type(), "distances", ([&] {
    distance_kernel<scalar_t, TILE><<<blocks, THREADS>>>(
        points.packed_accessor32<scalar_t, 2, torch::RestrictPtrTraits>(),
        centres.packed_accessor32<scalar_t, 2, torch::RestrictPtrTraits>(),
        d.packed_accessor32<scalar_t, 2, torch::RestrictPtrTraits>(),
        near.packed_accessor32<int, 1>(),
        counts.packed_accessor64<int64_t, 1, torch::RestrictPtrTraits>());
  }));
  return {d, near, counts};
}
"""
ext = load_inline(
    name="distances_ext",
    cpp_sources=[
        "std::tuple<torch::Tensor, torch::Tensor, torch::Tensor> distances(torch::Tensor points, torch::Tensor centres);"
    ],
    cuda_sources=[cuda_source],
    functions={"distances": "distances of points"},
)


class ModelNew(torch.nn.Module):
    def forward(self, points, centres):
        return ext.distances(points, centres)
