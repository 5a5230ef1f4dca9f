"""operator: bias_gelu_grad
dsl: cuda_c
does: an autograd function in C++ around a launch, dispatch over halves and bfloat16, at::opmath_type, vectors of four
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
from torch.utils.cpp_extension import load_inline

cuda_source = r"""
#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>
#include <ATen/Dispatch.h>
#include <ATen/OpMathType.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/util/Exception.h>

template <typename T, int N>
struct alignas(sizeof(T) * N) aligned_vector { T val[N]; };

template <typename acc_t>
__device__ __forceinline__ acc_t gelu_tanh(acc_t x) {
  constexpr acc_t kBeta = M_SQRT2 * M_2_SQRTPI * 0.5;
  constexpr acc_t kKappa = 0.044715;
  const acc_t inner = kBeta * (x + kKappa * x * x * x);
  return acc_t(0.5) * x * (acc_t(1) + ::tanh(inner));
}

template <typename scalar_t, int VEC>
__global__ void bias_gelu_kernel(const scalar_t* __restrict__ x, const scalar_t* __restrict__ bias, scalar_t* __restrict__ y,
                                 int64_t n, int64_t features) {
  using acc_t = at::opmath_type<scalar_t>;
  using vec_t = aligned_vector<scalar_t, VEC>;
  const int64_t stride = int64_t(gridDim.x) * blockDim.x * VEC;
  for (int64_t i = (int64_t(blockIdx.x) * blockDim.x + threadIdx.x) * VEC; i < n; i += stride) {
    if (i + VEC <= n) {
      const vec_t in = *reinterpret_cast<const vec_t*>(x + i);
      vec_t out;
#pragma unroll
      for (int j = 0; j < VEC; ++j)
        out.val[j] = static_cast<scalar_t>(gelu_tanh(static_cast<acc_t>(in.val[j]) + static_cast<acc_t>(bias[(i + j) % features])));
      *reinterpret_cast<vec_t*>(y + i) = out;
    } else {
      for (int64_t j = i; j < n; ++j) y[j] = static_cast<scalar_t>(gelu_tanh(static_cast<acc_t>(x[j]) + static_cast<acc_t>(bias[j % features])));
    }
  }
}

torch::Tensor launch(const torch::Tensor& x, const torch::Tensor& bias) {
  c10::cuda::OptionalCUDAGuard guard;
  guard.set_device(x.device());
  auto y = torch::empty_like(x, x.options().memory_format(at::MemoryFormat::Contiguous));
  const auto n = x.numel();
  if (n == 0) return y;
  const int threads = 128;
  const int blocks = static_cast<int>(std::min<int64_t>(at::ceil_div(n, int64_t(threads * 4)), at::cuda::getCurrentDeviceProperties()->multiProcessorCount * 8));
  AT_DISPATCH_FLOATING_TYPES_AND2(at::ScalarType::Half, at::ScalarType::BFloat16, x.scalar_type(), "bias_gelu", [&] {
    bias_gelu_kernel<scalar_t, 4><<<blocks, threads, 0, at::cuda::getCurrentCUDAStream()>>>(
        x.data_ptr<scalar_t>(), bias.data_ptr<scalar_t>(), y.data_ptr<scalar_t>(), n, bias.numel());
  });
  AT_CUDA_CHECK(cudaGetLastError());
  return y;
}

class BiasGelu : public torch::autograd::Function<BiasGelu> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* ctx, torch::Tensor x, torch::Tensor bias) {
    ctx->save_for_backward({x, bias});
    return launch(x, bias);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx, torch::autograd::variable_list grads) {
    auto saved = ctx->get_saved_variables();
    TORCH_CHECK(false, "not implemented");
    return {torch::Tensor(), torch::Tensor()};
  }
};

torch::Tensor bias_gelu(torch::Tensor x, torch::Tensor bias) {
  at::AutoDispatchBelowADInplaceOrView guard;
  return BiasGelu::apply(x.contiguous(), bias.contiguous());
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
