"""operator: gelu
family: ordinary Python
does: writes a header to a temporary folder and includes it
status: PASSED
where: cpu
toolchain: cpp
"""

import pathlib
import tempfile

import torch
from tvm_ffi.cpp import load_inline

folder = pathlib.Path(tempfile.mkdtemp())
(folder / "gelu_of.h").write_text("""
#include <cmath>
inline float gelu_of(float v) { return 0.5f * v * (1.f + std::erf(v * 0.70710678f)); }
""")
SOURCE = r"""
#include "gelu_of.h"

void gelu(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {
  const float* from = static_cast<const float*>(x.data_ptr());
  float* to = static_cast<float*>(out.data_ptr());
  for (int64_t i = 0; i < x.numel(); ++i) to[i] = gelu_of(from[i]);
}
"""
library = load_inline(name="gelu", cpp_sources=SOURCE, functions=["gelu"], extra_include_paths=[str(folder)])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        library.gelu(x, out)
        return out
