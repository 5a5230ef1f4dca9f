"""operator: silu_and_mul
dsl: cuda_c
does: an activation as a template argument, launched by a macro over several lines
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
from torch.utils.cpp_extension import load_inline

cpp_source = """void silu_and_mul(torch::Tensor& out, torch::Tensor& input);"""
cuda_source = r"""
#include <torch/all.h>
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAGuard.h>

template <typename T>
__device__ __forceinline__ T silu_kernel(const T& x) {
  return (T)(((float)x) / (1.0f + expf((float)-x)));
}

template <typename scalar_t, scalar_t (*ACT_FN)(const scalar_t&)>
__global__ void act_and_mul_kernel(scalar_t* __restrict__ out, const scalar_t* __restrict__ input, const int d) {
  const int64_t token_idx = blockIdx.x;
  for (int64_t idx = threadIdx.x; idx < d; idx += blockDim.x) {
    const scalar_t x = __ldg(&input[token_idx * 2 * d + idx]);
    const scalar_t y = __ldg(&input[token_idx * 2 * d + d + idx]);
    out[token_idx * d + idx] = ACT_FN(x) * y;
  }
}

#define LAUNCH_ACTIVATION_GATE_KERNEL(KERNEL)                                \
  int d = input.size(-1) / 2;                                                \
  int64_t num_tokens = input.numel() / input.size(-1);                       \
  dim3 grid(num_tokens);                                                     \
  dim3 block(std::min(d, 1024));                                             \
  const at::cuda::OptionalCUDAGuard device_guard(device_of(input));          \
  const cudaStream_t stream = at::cuda::getCurrentCUDAStream();              \
  AT_DISPATCH_FLOATING_TYPES(input.scalar_type(), "act_and_mul_kernel", [&] { \
    act_and_mul_kernel<scalar_t, KERNEL<scalar_t>>                           \
        <<<grid, block, 0, stream>>>(out.data_ptr<scalar_t>(),               \
                                     input.data_ptr<scalar_t>(), d);         \
  });

void silu_and_mul(torch::Tensor& out, torch::Tensor& input) { LAUNCH_ACTIVATION_GATE_KERNEL(silu_kernel); }
"""
extension = load_inline(
    name="extension",
    cpp_sources=cpp_source,
    cuda_sources=cuda_source,
    functions=["silu_and_mul"],
    verbose=False,
)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        out = torch.empty(*x.shape[:-1], x.shape[-1] // 2, dtype=x.dtype, device=x.device)
        extension.silu_and_mul(out, x)
        return out
