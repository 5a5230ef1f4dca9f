"""operator: bias_gelu_grad
dsl: cuda_c
does: vectors of four without a look at the end, and a bias that is one longer than it is
cpu: INCORRECT_NUMERICAL RUNTIME_ERROR REFUSED
nvidia_h200: INCORRECT_NUMERICAL RUNTIME_ERROR REFUSED
device: INCORRECT_NUMERICAL REFUSED RUNTIME_ERROR
"""

import torch
from torch.utils.cpp_extension import load_inline

cuda_source = r"""
#include <torch/extension.h>
__global__ void bias_gelu_kernel(const float* x, const float* bias, float* y, int n, int features) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i > n) return;
  float v = x[i] + bias[i % features];
  y[i] = 0.5f * v * (1.f + tanhf(0.7978845608f * (v + 0.044715f * v * v * v)));
}
torch::Tensor bias_gelu(torch::Tensor x, torch::Tensor bias) {
  auto y = torch::empty_like(x);
  bias_gelu_kernel<<<x.numel() / 256 + 1, 256>>>(x.data_ptr<float>(), bias.data_ptr<float>(), y.data_ptr<float>(), x.numel(), bias.numel());
  return y;
}
"""
ext = load_inline(
    name="bias_gelu_ext",
    cpp_sources="torch::Tensor bias_gelu(torch::Tensor x, torch::Tensor bias);",
    cuda_sources=cuda_source,
    functions=["bias_gelu"],
)


class ModelNew(torch.nn.Module):
    def __init__(self, features, approximate="tanh"):
        super().__init__()
        self.bias = torch.nn.Parameter(torch.zeros(features))

    def forward(self, x):
        return ext.bias_gelu(x, self.bias)
