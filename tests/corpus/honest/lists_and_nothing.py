"""operator: sum_of_list
family: forms of results
does: takes a list of tensors, a number, nothing and a word; rows may be none
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
void add(tvm::ffi::TensorView x, tvm::ffi::TensorView total, double scale, bool first) {
  for (int64_t i = 0; i < x.size(0); ++i) {
    float& at = ((float*)total.data_ptr())[i];
    at = (first ? 0 : at) + ((const float*)x.data_ptr())[i] * float(scale);
  }
}
void times(tvm::ffi::TensorView x, tvm::ffi::TensorView mask) {
  const int64_t n = mask.size(0);
  for (int64_t i = 0; i < x.size(0); ++i) ((float*)x.data_ptr())[i] *= ((const float*)mask.data_ptr())[i % n];
}
"""

library = load_inline(name="add", cpp_sources=SOURCE, functions=["add", "times"])


class ModelNew(torch.nn.Module):
    def forward(self, parts, scale, mask=None, mode="sum"):
        total = torch.empty_like(parts[0])
        for i, part in enumerate(parts):
            library.add(part.reshape(-1), total.view(-1), scale, i == 0)
        if mask is not None:
            library.times(total.view(-1), mask)
        return total
