"""operator: quantize
dsl: cuda_c
does: a warp a row: its largest magnitude by shuffles, then rounding to 8-bit integers
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
from torch.utils.cpp_extension import load_inline

cpp_source = """std::tuple<torch::Tensor, torch::Tensor> quantize(const torch::Tensor& x);"""
cuda_source = r"""
#include <torch/extension.h>

__global__ void quantize_kernel(const float* __restrict__ x, int8_t* __restrict__ q, float* __restrict__ scales, int rows, int cols) {
  const int row = blockIdx.x * blockDim.y + threadIdx.y, lane = threadIdx.x;
  if (row >= rows) return;
  float largest = 0.f;
  for (int c = lane; c < cols; c += warpSize) largest = fmaxf(largest, fabsf(x[row * cols + c]));
  for (int mask = 16; mask > 0; mask >>= 1) largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, mask));
  const float scale = fmaxf(largest, 1e-8f) / 127.f;
  for (int c = lane; c < cols; c += warpSize) {
    const int v = __float2int_rn(x[row * cols + c] / scale);
    q[row * cols + c] = static_cast<int8_t>(min(max(v, -128), 127));
  }
  if (lane == 0) scales[row] = scale;
}

std::tuple<torch::Tensor, torch::Tensor> quantize(const torch::Tensor& x) {
  const int rows = x.size(0), cols = x.size(1);
  auto q = torch::empty({rows, cols}, x.options().dtype(torch::kInt8));
  auto scales = torch::empty({rows}, x.options());
  quantize_kernel<<<(rows + 3) / 4, dim3(32, 4)>>>(x.data_ptr<float>(), q.data_ptr<int8_t>(), scales.data_ptr<float>(), rows, cols);
  return {q, scales};
}
"""
extension = load_inline(
    name="extension",
    cpp_sources=cpp_source,
    cuda_sources=cuda_source,
    functions=["quantize"],
    verbose=False,
)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        return extension.quantize(x.contiguous())
