"""operator: relu
family: wrong on purpose
does: writes the element before the first one of its input
status: REFUSED
where: cpu
toolchain: cpp
message: wrote 4 bytes before the start of input 0
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
void run(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {
  const float* from = static_cast<const float*>(x.data_ptr());
  float* to = static_cast<float*>(out.data_ptr());
  for (int64_t i = 0; i < x.numel(); ++i) to[i] = from[i] > 0 ? from[i] : 0.0f;
  static_cast<float*>(x.data_ptr())[-1] = 0.0f;
}
"""

library = load_inline(name="run", cpp_sources=SOURCE, functions=["run"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        library.run(x, out)
        return out
