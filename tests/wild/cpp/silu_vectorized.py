"""operator: silu_and_mul
dsl: cpp
does: PyTorch's vectors of floats over threads, a tail of lanes that are loaded and stored by count
cpu: PASSED
nvidia_h200: -
device: -
"""

import torch
from torch.utils.cpp_extension import load_inline

extension = load_inline(
    name="silu_vectorized",
    cpp_sources=r"""
#include <torch/extension.h>
#include <ATen/Parallel.h>
#include <ATen/cpu/vec/vec.h>

at::Tensor silu_and_mul(const at::Tensor& input) {
  using Vec = at::vec::Vectorized<float>;
  TORCH_CHECK(input.is_contiguous() && input.scalar_type() == at::kFloat, "a dense float tensor");
  const int64_t d = input.size(-1) / 2, rows = input.numel() / (2 * d);
  auto sizes = input.sizes().vec();
  sizes.back() = d;
  at::Tensor output = at::empty(sizes, input.options());
  const float* in = input.data_ptr<float>();
  float* out = output.data_ptr<float>();
  at::parallel_for(0, rows, at::internal::GRAIN_SIZE / d, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const float *gate = in + r * 2 * d, *up = gate + d;
      int64_t c = 0;
      for (; c + Vec::size() <= d; c += Vec::size()) {
        const Vec x = Vec::loadu(gate + c);
        (x / (Vec(1.f) + x.neg().exp()) * Vec::loadu(up + c)).store(out + r * d + c);
      }
      if (c < d) {
        const Vec x = Vec::loadu(gate + c, d - c);
        (x / (Vec(1.f) + x.neg().exp()) * Vec::loadu(up + c, d - c)).store(out + r * d + c, d - c);
      }
    }
  });
  return output;
}
""",
    functions=["silu_and_mul"],
    extra_cflags=["-O3", "-DCPU_CAPABILITY=DEFAULT"],
)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        return extension.silu_and_mul(x.contiguous())
