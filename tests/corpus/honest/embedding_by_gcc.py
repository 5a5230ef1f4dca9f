"""operator: embedding
family: other builders
does: calls g++ itself and loads the library with ctypes; keeps a keyword's default
status: PASSED
where: cpu
toolchain: cpp
"""

import ctypes
import os
import subprocess
import tempfile

import torch

SOURCE = r"""
#include <cstdint>
extern "C" void bag(const float* table, const int64_t* index, float* out, int64_t bags, int64_t n, int64_t width,
                    float scale) {
#pragma omp parallel for
  for (int64_t b = 0; b < bags; ++b)
    for (int64_t w = 0; w < width; ++w) {
      float total = 0;
      for (int64_t i = 0; i < n; ++i) total += table[index[b * n + i] * width + w];
      out[b * width + w] = total * scale;
    }
}
"""


def build(source):
    folder = tempfile.mkdtemp()
    path = os.path.join(folder, "bag.cpp")
    with open(path, "w") as file:
        file.write(source)
    library = os.path.join(folder, "bag.so")
    flags = ["-O3", "-march=native", "-fopenmp", "-shared", "-fPIC"]
    subprocess.run(["g++", *flags, path, "-o", library], check=True, capture_output=True)
    return ctypes.CDLL(library)


library = build(SOURCE)
library.bag.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_int64] * 3 + [ctypes.c_float]
library.bag.restype = None


class ModelNew(torch.nn.Module):
    def __init__(self, words, width):
        super().__init__()
        self.table = torch.nn.Embedding(words, width)

    def forward(self, index, scale=0.5):
        weight, index = self.table.weight.detach(), index.contiguous()
        out = torch.empty(index.shape[0], weight.shape[1])
        library.bag(weight.data_ptr(), index.data_ptr(), out.data_ptr(), *index.shape, weight.shape[1], scale)
        return out
