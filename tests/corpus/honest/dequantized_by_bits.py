"""operator: dequantize
family: storage
does: reads 8-bit floats from their bits
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>
#include <cstdint>

void run(tvm::ffi::TensorView codes, tvm::ffi::TensorView scale, tvm::ffi::TensorView out) {
  const int64_t n = codes.size(1);
  for (int64_t i = 0; i < codes.numel(); ++i) {
    const uint8_t code = static_cast<const uint8_t*>(codes.data_ptr())[i];
    const int exponent = (code >> 3) & 15, mantissa = code & 7;
    const float size = exponent ? std::ldexp(8.0f + mantissa, exponent - 10) : std::ldexp(static_cast<float>(mantissa), -9);
    const float value = code & 128 ? -size : size;
    static_cast<float*>(out.data_ptr())[i] = value * static_cast<const float*>(scale.data_ptr())[i / n];
  }
}
"""

library = load_inline(name="run", cpp_sources=SOURCE, functions=["run"])


class ModelNew(torch.nn.Module):
    def forward(self, x, scale):
        out = torch.empty(x.shape)
        library.run(x.view(torch.uint8), scale, out)
        return out
