"""operator: conv
dsl: cuda_c
does: a direct convolution, one thread an output, with packed accessors
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
from torch.utils.cpp_extension import load_inline

cpp_source = """torch::Tensor conv1d(torch::Tensor x, torch::Tensor w);"""
cuda_source = r"""
#include <torch/extension.h>

template <typename scalar_t>
__global__ void conv1d_kernel(const torch::PackedTensorAccessor32<scalar_t, 3, torch::RestrictPtrTraits> x,
                              const torch::PackedTensorAccessor32<scalar_t, 3, torch::RestrictPtrTraits> w,
                              torch::PackedTensorAccessor32<scalar_t, 3, torch::RestrictPtrTraits> y, int left) {
  const int t = blockIdx.x * blockDim.x + threadIdx.x, filter = blockIdx.y, batch = blockIdx.z;
  if (t >= y.size(2)) return;
  scalar_t sum = 0;
  for (int c = 0; c < x.size(1); ++c) {
    for (int k = 0; k < w.size(2); ++k) {
      const int at = t + k - left;
      if (at >= 0 && at < x.size(2)) sum += x[batch][c][at] * w[filter][c][k];
    }
  }
  y[batch][filter][t] = sum;
}

torch::Tensor conv1d(torch::Tensor x, torch::Tensor w) {
  auto y = torch::zeros({x.size(0), w.size(0), x.size(2)}, x.options());
  const dim3 threads(64), blocks((x.size(2) + 63) / 64, w.size(0), x.size(0));
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "conv1d", ([&] {
    conv1d_kernel<scalar_t><<<blocks, threads>>>(
        x.packed_accessor32<scalar_t, 3, torch::RestrictPtrTraits>(),
        w.packed_accessor32<scalar_t, 3, torch::RestrictPtrTraits>(),
        y.packed_accessor32<scalar_t, 3, torch::RestrictPtrTraits>(), (w.size(2) - 1) / 2);
  }));
  return y;
}
"""
extension = load_inline(
    name="extension",
    cpp_sources=cpp_source,
    cuda_sources=cuda_source,
    functions=["conv1d"],
    verbose=False,
)


class ModelNew(torch.nn.Module):
    def __init__(self, channels, filters, width):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(filters, channels, width))

    def forward(self, x):
        return extension.conv1d(x, self.weight)
