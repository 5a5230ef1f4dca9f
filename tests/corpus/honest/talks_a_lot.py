"""operator: rowsum
family: ordinary Python
does: prints, logs and warns at every call, also in words that a harness might look for
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
void rowsum(tvm::ffi::TensorView x, tvm::ffi::TensorView out, int64_t columns) {
  const int64_t rows = x.size(0), stride = x.size(1);
  for (int64_t r = 0; r < rows; ++r) {
    const float* from = static_cast<const float*>(x.data_ptr()) + r * stride;
    double total = 0;
    for (int64_t c = 0; c < columns; ++c) total += from[c];
    static_cast<float*>(out.data_ptr())[r] = static_cast<float>(total);
  }
}
"""

library = load_inline(name="rowsum", cpp_sources=SOURCE, functions=["rowsum"])

import logging
import sys
import warnings


class ModelNew(torch.nn.Module):
    def forward(self, x):
        print("FAILED: this is only talk", "x" * 5000)
        print("Error: RuntimeError: only talk", file=sys.stderr)
        logging.getLogger("kernel").error("REFUSED, says the kernel about nothing")
        warnings.warn("a warning of no consequence")
        out = torch.empty(x.shape[0])
        library.rowsum(x, out, x.shape[1])
        return out
