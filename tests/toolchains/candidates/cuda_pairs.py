"""Half-precision pairs, vector loads, votes and matches: x * y + x over float16 or bfloat16, sizes are even."""

import torch

from akgflow.toolchains.cuda_c import load

library = load(r"""
#include <cuda_bf16.h>
#include <cuda_fp16.h>

__device__ __half2 fused(__half2 a, __half2 b) { return __hfma2(a, b, a); }
__device__ __nv_bfloat162 fused(__nv_bfloat162 a, __nv_bfloat162 b) { return __hfma2(a, b, a); }

template <typename Pair>
__global__ void pairs_kernel(const Pair* __restrict__ x, const Pair* __restrict__ y, Pair* out, int pairs) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  const unsigned inside = __ballot_sync(0xffffffffu, i < pairs);
  const unsigned same = __match_any_sync(0xffffffffu, i < pairs);
  if (i < pairs && same == inside && __popc(inside) > 0) out[i] = fused(__ldg(x + i), __ldg(y + i));
}

extern "C" void pairs(const void* x, const void* y, void* out, int pairs, bool bfloat) {
  const int blocks = (pairs + 127) / 128;
  if (bfloat) {
    pairs_kernel<<<blocks, 128>>>((const __nv_bfloat162*)x, (const __nv_bfloat162*)y, (__nv_bfloat162*)out, pairs);
  } else {
    pairs_kernel<<<blocks, 128>>>((const __half2*)x, (const __half2*)y, (__half2*)out, pairs);
  }
}
""")


class ModelNew(torch.nn.Module):
    def forward(self, x, y):
        out = torch.empty_like(x)
        library.pairs(x, y, out, x.numel() // 2, x.dtype == torch.bfloat16)
        return out


def reference(inputs, parameters):
    return inputs[0] * inputs[1] + inputs[0]
