"""operator: gelu
family: joined side streams
does: creates streams and events in CUDA C++, splits the work and joins it
status: PASSED
where: gpu
toolchain: cuda_c
"""

import torch

from akgflow.toolchains.cuda_c import load

library = load(r"""
__global__ void gelu_kernel(const float* x, float* out, long long n) {
  const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = 0.5f * x[i] * (1.f + erff(x[i] * 0.70710678f));
}

extern "C" void gelu(const float* x, float* out, long long n) {
  static cudaStream_t side[2];
  static cudaEvent_t start, done[2];
  if (!start) {
    cudaEventCreateWithFlags(&start, cudaEventDisableTiming);
    for (int i = 0; i < 2; ++i) {
      cudaStreamCreateWithFlags(&side[i], cudaStreamNonBlocking);
      cudaEventCreateWithFlags(&done[i], cudaEventDisableTiming);
    }
  }
  cudaEventRecord(start, 0);
  for (int i = 0; i < 2; ++i) {
    const long long first = i * (n / 2), count = i ? n - n / 2 : n / 2;
    cudaStreamWaitEvent(side[i], start, 0);
    if (count) gelu_kernel<<<(unsigned)((count + 255) / 256), 256, 0, side[i]>>>(x + first, out + first, count);
    cudaEventRecord(done[i], side[i]);
    cudaStreamWaitEvent(0, done[i], 0);
  }
}
""")


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        library.gelu(x, out, x.numel())
        return out
