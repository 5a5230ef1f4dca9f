"""operator: masked_fill
family: ordinary Python
does: runs under torch.inference_mode, with default dtype and device set
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
void fill(tvm::ffi::TensorView x, tvm::ffi::TensorView mask, tvm::ffi::TensorView out, double value) {
  const float* from = static_cast<const float*>(x.data_ptr());
  const bool* hide = static_cast<const bool*>(mask.data_ptr());
  float* to = static_cast<float*>(out.data_ptr());
  for (int64_t i = 0; i < x.numel(); ++i) to[i] = hide[i] ? static_cast<float>(value) : from[i];
}
"""

library = load_inline(name="fill", cpp_sources=SOURCE, functions=["fill"])

import math

torch.set_default_dtype(torch.float32)


class ModelNew(torch.nn.Module):
    @torch.inference_mode()
    def forward(self, x, mask):
        with torch.device("cpu"):
            out = torch.empty(*x.shape)
        library.fill(x.contiguous(), mask.contiguous(), out, -math.inf)
        return out
