"""operator: softmax
family: wrong on purpose
does: declares more shared memory than any compiler for devices lets it
status: RUNTIME_ERROR
where: cpu
toolchain: cuda_c
"""

import torch

from akgflow.toolchains.cuda_c import load

library = load(r"""
__global__ void softmax_kernel(const float* x, float* out, int n) {
  __shared__ float row[20480];
  for (int c = threadIdx.x; c < n; c += 32) row[c] = x[(size_t)blockIdx.x * n + c];
  __syncthreads();
  float top = row[0], sum = 0.f;
  for (int c = 1; c < n; ++c) top = fmaxf(top, row[c]);
  for (int c = 0; c < n; ++c) sum += expf(row[c] - top);
  for (int c = threadIdx.x; c < n; c += 32) out[(size_t)blockIdx.x * n + c] = expf(row[c] - top) / sum;
}

extern "C" void softmax(const float* x, float* out, int rows, int n) { softmax_kernel<<<rows, 32>>>(x, out, n); }
""")


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        out = torch.empty_like(x)
        library.softmax(x, out, x.shape[0], x.shape[1])
        return out
