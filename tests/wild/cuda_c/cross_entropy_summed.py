"""operator: cross_entropy
dsl: cuda_c
does: gives the sum of the losses in place of their mean
cpu: INCORRECT_NUMERICAL
nvidia_h200: INCORRECT_NUMERICAL
device: INCORRECT_NUMERICAL
"""

import torch
from torch.utils.cpp_extension import load_inline

cpp_source = """torch::Tensor cross_entropy(torch::Tensor scores, torch::Tensor target);"""
cuda_source = r"""
#include <torch/extension.h>
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
namespace cg = cooperative_groups;

__global__ void cross_entropy_kernel(const float* scores, const int64_t* target, float* losses, int n, int classes) {
  auto warp = cg::tiled_partition<32>(cg::this_thread_block());
  const int row = blockIdx.x * warp.meta_group_size() + warp.meta_group_rank();
  if (row >= n) return;
  const float* from = scores + (size_t)row * classes;
  float best = -INFINITY, sum = 0.f;
  for (int c = warp.thread_rank(); c < classes; c += warp.size()) best = fmaxf(best, from[c]);
  best = cg::reduce(warp, best, cg::greater<float>());
  for (int c = warp.thread_rank(); c < classes; c += warp.size()) sum += expf(from[c] - best);
  sum = cg::reduce(warp, sum, cg::plus<float>());
  if (warp.thread_rank() == 0) losses[row] = logf(sum) + best - from[target[row]];
}
__global__ void mean_kernel(const float* losses, float* out, int n) {
  float sum = 0.f;
  for (int i = threadIdx.x; i < n; i += 32) sum += losses[i];
  for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_down_sync(0xffffffffu, sum, offset);
  if (threadIdx.x == 0) *out = sum;
}

torch::Tensor cross_entropy(torch::Tensor scores, torch::Tensor target) {
  const int n = scores.size(0);
  auto losses = torch::empty({n}, scores.options()), out = torch::empty({}, scores.options());
  cross_entropy_kernel<<<(n + 3) / 4, 128>>>(scores.data_ptr<float>(), target.data_ptr<int64_t>(), losses.data_ptr<float>(), n, scores.size(1));
  mean_kernel<<<1, 32>>>(losses.data_ptr<float>(), out.data_ptr<float>(), n);
  return out;
}
"""
extension = load_inline(
    name="extension",
    cpp_sources=cpp_source,
    cuda_sources=cuda_source,
    functions=["cross_entropy"],
    verbose=False,
)


class ModelNew(torch.nn.Module):
    def forward(self, scores, target):
        return extension.cross_entropy(scores.contiguous(), target.contiguous())
