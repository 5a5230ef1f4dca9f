"""operator: gemm
family: wrong on purpose
does: rounds float64 operands to float32, and adds in float64
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
dtype: float64
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""

void matmul(tvm::ffi::TensorView a, tvm::ffi::TensorView b, tvm::ffi::TensorView out) {
  const int64_t m = a.size(0), k = a.size(1), n = b.size(1);
  const double *x = static_cast<const double*>(a.data_ptr()), *w = static_cast<const double*>(b.data_ptr());
  double* y = static_cast<double*>(out.data_ptr());
  for (int64_t i = 0; i < m; ++i)
    for (int64_t p = 0; p < k; ++p)
      for (int64_t j = 0; j < n; ++j) y[i * n + j] += double(float(x[i * k + p])) * float(w[p * n + j]);
}
"""

library = load_inline(name="matmul", cpp_sources=SOURCE, functions=["matmul"])


class ModelNew(torch.nn.Module):
    def forward(self, a, b):
        out = torch.zeros(a.shape[0], b.shape[1], dtype=torch.float64)
        library.matmul(a.contiguous(), b.contiguous(), out)
        return out
