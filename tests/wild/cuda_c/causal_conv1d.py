"""operator: causal_conv1d
dsl: cuda_c
does: parameters in a structure, a width that is a template argument, chosen by a switch of lambdas
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
from torch.utils.cpp_extension import load_inline

cpp_source = """at::Tensor causal_conv1d(const at::Tensor& x, const at::Tensor& weight, const c10::optional<at::Tensor>& bias_, bool silu_activation);"""
cuda_source = r"""
#include <torch/extension.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

struct ConvParamsBase {
  int batch, dim, seqlen, width;
  bool silu;
  int64_t x_batch_stride, x_c_stride;
  const void *__restrict__ x_ptr, *__restrict__ weight_ptr, *__restrict__ bias_ptr;
  void* __restrict__ out_ptr;
};

template <int kNThreads_, int kWidth_, typename input_t_>
struct Traits {
  using input_t = input_t_;
  static constexpr int kNThreads = kNThreads_, kWidth = kWidth_;
};

template <typename Ktraits>
__global__ __launch_bounds__(Ktraits::kNThreads) void causal_conv1d_fwd_kernel(ConvParamsBase params) {
  using input_t = typename Ktraits::input_t;
  constexpr int kWidth = Ktraits::kWidth;
  const int batch_id = blockIdx.x, channel_id = blockIdx.y;
  const input_t* x = reinterpret_cast<const input_t*>(params.x_ptr) + batch_id * params.x_batch_stride + channel_id * params.x_c_stride;
  input_t* out = reinterpret_cast<input_t*>(params.out_ptr) + ((int64_t)batch_id * params.dim + channel_id) * params.seqlen;
  float weight[kWidth];
#pragma unroll
  for (int i = 0; i < kWidth; ++i) weight[i] = float(reinterpret_cast<const input_t*>(params.weight_ptr)[channel_id * kWidth + i]);
  const float bias = params.bias_ptr == nullptr ? 0.f : float(reinterpret_cast<const input_t*>(params.bias_ptr)[channel_id]);
  for (int t = threadIdx.x; t < params.seqlen; t += Ktraits::kNThreads) {
    float sum = bias;
#pragma unroll
    for (int w = 0; w < kWidth; ++w) {
      const int at = t - (kWidth - 1 - w);
      if (at >= 0) sum += weight[w] * float(x[at]);
    }
    out[t] = params.silu ? sum / (1 + expf(-sum)) : sum;
  }
}

template <int kNThreads, int kWidth, typename input_t>
void causal_conv1d_fwd_launch(ConvParamsBase& params, cudaStream_t stream) {
  using Ktraits = Traits<kNThreads, kWidth, input_t>;
  auto kernel = &causal_conv1d_fwd_kernel<Ktraits>;
  kernel<<<dim3(params.batch, params.dim), Ktraits::kNThreads, 0, stream>>>(params);
  C10_CUDA_KERNEL_LAUNCH_CHECK();
}

at::Tensor causal_conv1d(const at::Tensor& x, const at::Tensor& weight, const c10::optional<at::Tensor>& bias_, bool silu_activation) {
  TORCH_CHECK(x.is_cuda() && x.stride(2) == 1, "time must be dense");
  at::Tensor out = torch::empty(x.sizes(), x.options());
  ConvParamsBase params;
  memset(&params, 0, sizeof(params));
  params.batch = x.size(0), params.dim = x.size(1), params.seqlen = x.size(2), params.width = weight.size(-1);
  params.silu = silu_activation;
  params.x_batch_stride = x.stride(0), params.x_c_stride = x.stride(1);
  params.x_ptr = x.data_ptr(), params.weight_ptr = weight.data_ptr(), params.out_ptr = out.data_ptr();
  params.bias_ptr = bias_.has_value() ? bias_.value().data_ptr() : nullptr;
  at::cuda::CUDAGuard device_guard{x.device()};
  auto stream = at::cuda::getCurrentCUDAStream().stream();
  AT_DISPATCH_FLOATING_TYPES_AND(at::ScalarType::BFloat16, x.scalar_type(), "causal_conv1d", [&] {
    if (params.width == 2) causal_conv1d_fwd_launch<128, 2, scalar_t>(params, stream);
    else if (params.width == 3) causal_conv1d_fwd_launch<128, 3, scalar_t>(params, stream);
    else if (params.width == 4) causal_conv1d_fwd_launch<128, 4, scalar_t>(params, stream);
  });
  return out;
}
"""
extension = load_inline(
    name="extension",
    cpp_sources=cpp_source,
    cuda_sources=cuda_source,
    functions=["causal_conv1d"],
    verbose=False,
)


class ModelNew(torch.nn.Module):
    def __init__(self, channels, width):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(channels, width))
        self.bias = torch.nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        return extension.causal_conv1d(x.contiguous(), self.weight, self.bias, True)
