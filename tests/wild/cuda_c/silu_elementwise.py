"""operator: silu
dsl: cuda_c
does: an elementwise kernel with a grid of blocks, as KernelBench's examples have it
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
from torch.utils.cpp_extension import load_inline

cpp_source = """torch::Tensor silu_cuda(torch::Tensor x);"""
cuda_source = r"""
#include <torch/extension.h>
#include <cuda_runtime.h>

__global__ void silu_kernel(const float* __restrict__ x, float* __restrict__ out, int size) {
    int idx = blockIdx.x * blockDim.x + threadIdx.x;
    if (idx < size) {
        float v = x[idx];
        out[idx] = v / (1.0f + expf(-v));
    }
}

torch::Tensor silu_cuda(torch::Tensor x) {
    auto size = x.numel();
    auto out = torch::empty_like(x);
    const int block_size = 256;
    const int num_blocks = (size + block_size - 1) / block_size;
    silu_kernel<<<num_blocks, block_size>>>(x.data_ptr<float>(), out.data_ptr<float>(), size);
    return out;
}
"""
silu_ext = load_inline(
    name="silu_ext",
    cpp_sources=cpp_source,
    cuda_sources=cuda_source,
    functions=["silu_cuda"],
    verbose=False,
    extra_cflags=[""],
    extra_ldflags=[""],
)


class ModelNew(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.silu = silu_ext

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.silu.silu_cuda(x.contiguous().cuda())
