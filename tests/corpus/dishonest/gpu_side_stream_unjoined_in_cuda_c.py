"""operator: gelu
family: time not told
does: works on a non-blocking stream of its own that waits for the caller's, and is not waited for
status: INCORRECT_NUMERICAL
where: gpu
message: the current stream must wait for work on other streams
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
  static cudaStream_t side;
  static cudaEvent_t start;
  if (!start) {
    cudaEventCreateWithFlags(&start, cudaEventDisableTiming);
    cudaStreamCreateWithFlags(&side, cudaStreamNonBlocking);
  }
  cudaEventRecord(start, 0);
  cudaStreamWaitEvent(side, start, 0);
  if (n) gelu_kernel<<<(unsigned)((n + 255) / 256), 256, 0, side>>>(x, out, n);
}
""")


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        library.gelu(x, out, x.numel())
        return out
