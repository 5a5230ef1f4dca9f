"""operator: matmul
dsl: cpp
does: builds a shared library with the compiler by itself and calls it by ctypes with addresses
cpu: PASSED
nvidia_h200: -
device: -
"""

import ctypes
import os
import subprocess
import tempfile

import torch

SOURCE = r"""
#include <cstdint>
extern "C" void gemm(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ c, int64_t m, int64_t k, int64_t n) {
#pragma omp parallel for
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) c[i * n + j] = 0;
    for (int64_t p = 0; p < k; ++p) {
      const float v = a[i * k + p];
#pragma omp simd
      for (int64_t j = 0; j < n; ++j) c[i * n + j] += v * b[p * n + j];
    }
  }
}
"""


def build():
    folder = tempfile.mkdtemp()
    source = os.path.join(folder, "gemm.cpp")
    with open(source, "w") as file:
        file.write(SOURCE)
    library = os.path.join(folder, "gemm.so")
    subprocess.run(
        [os.environ.get("CXX", "g++"), "-O3", "-march=native", "-fopenmp", "-shared", "-fPIC", source, "-o", library],
        check=True,
    )
    loaded = ctypes.CDLL(library)
    loaded.gemm.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_int64] * 3
    loaded.gemm.restype = None
    return loaded


library = build()


class ModelNew(torch.nn.Module):
    def forward(self, a, b):
        a, b = a.contiguous(), b.contiguous()
        c = torch.empty(a.shape[0], b.shape[1])
        library.gemm(a.data_ptr(), b.data_ptr(), c.data_ptr(), a.shape[0], a.shape[1], b.shape[1])
        return c
