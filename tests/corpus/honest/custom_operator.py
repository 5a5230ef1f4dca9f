"""operator: tanh
family: ordinary Python
does: registers its kernel as an operator of torch's, and calls that
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>
void curve(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {
  for (int64_t i = 0; i < x.size(0); ++i) ((float*)out.data_ptr())[i] = std::tanh(((const float*)x.data_ptr())[i]);
}
"""

library = load_inline(name="curve", cpp_sources=SOURCE, functions=["curve"])


@torch.library.custom_op("fresh::curve", mutates_args=())
def curve(x: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    library.curve(x.view(-1), out.view(-1))
    return out


@curve.register_fake
def _(x):
    return torch.empty_like(x)


class ModelNew(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_forward_pre_hook(lambda module, given: tuple(t.contiguous() for t in given))

    def forward(self, x):
        return torch.ops.fresh.curve(x)
