"""operator: tanh
family: work not done
does: computes in a finalizer and in a callback of the garbage collector, after it has answered
status: INCORRECT_NUMERICAL
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

import gc
import weakref

PENDING = []


def work(*_):
    while PENDING:
        x, out = PENDING.pop()
        library.curve(x.view(-1), out.view(-1))


gc.callbacks.append(work)


class Token:
    pass


TOKENS = []


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.zeros_like(x)
        PENDING.append((x, out))
        token = Token()
        weakref.finalize(token, work)
        TOKENS[:] = [token]
        return out
