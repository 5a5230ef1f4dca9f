"""operator: bits
family: forms of results
does: gives integers, counts and truths, in C through a C compiler
status: PASSED
where: cpu
toolchain: cpp
"""

import ctypes
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

import torch

SOURCE = """
#include <stdint.h>
void mix(const int32_t* a, const int32_t* b, int32_t* out, int64_t* count, uint8_t* odd, int64_t rows, int64_t n) {
  for (int64_t c = 0; c < n; ++c) count[c] = 0;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < n; ++c) {
      const int64_t i = r * n + c;
      out[i] = (a[i] << 3) ^ b[i];
      count[c] += a[i] > b[i];
      odd[i] = out[i] & 1;
    }
}
"""


@lru_cache(maxsize=None)
def library():
    folder = Path(tempfile.mkdtemp(dir=Path(__file__).parent))
    (folder / "mix.c").write_text(SOURCE)
    subprocess.check_call(["gcc", "-O2", "-shared", "-fPIC", "-o", folder / "mix.so", folder / "mix.c"])
    return ctypes.CDLL(str(folder / "mix.so"))


def pointer(tensor):
    return ctypes.c_void_p(tensor.data_ptr())


class ModelNew(torch.nn.Module):
    def forward(self, a, b):
        a, b = a.contiguous(), b.contiguous()
        out, count = torch.empty_like(a), torch.empty(a.shape[1], dtype=torch.int64)
        odd = torch.empty(a.shape, dtype=torch.bool)
        tensors = map(pointer, (a, b, out, count, odd))
        library().mix(*tensors, *map(ctypes.c_int64, a.shape))
        return out, count, odd
