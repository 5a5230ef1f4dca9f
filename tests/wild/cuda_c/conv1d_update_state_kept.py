"""operator: conv1d_update
dsl: cuda_c
does: gives back the state before this step: it is moved in registers only
cpu: INCORRECT_NUMERICAL
nvidia_h200: INCORRECT_NUMERICAL
device: INCORRECT_NUMERICAL
"""

import torch
from torch.utils.cpp_extension import load_inline

cpp_source = """at::Tensor causal_conv1d_update(const at::Tensor& x, const at::Tensor& conv_state, const at::Tensor& weight, const c10::optional<at::Tensor>& bias_, bool silu_activation);"""
cuda_source = r"""
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAGuard.h>
#include <torch/extension.h>
#include <vector>

#define CHECK_SHAPE(x, ...) TORCH_CHECK(x.sizes() == torch::IntArrayRef({__VA_ARGS__}), #x " must have shape (" #__VA_ARGS__ ")")

struct ConvParamsBase {
  using index_t = uint32_t;
  int batch, dim, width, state_len;
  bool silu_activation;
  index_t x_batch_stride, x_c_stride, weight_c_stride, weight_width_stride, out_batch_stride, out_c_stride;
  index_t conv_state_batch_stride, conv_state_c_stride, conv_state_l_stride;
  void *__restrict__ x_ptr, *__restrict__ weight_ptr, *__restrict__ bias_ptr, *__restrict__ out_ptr, *__restrict__ conv_state_ptr;
};

#define DISPATCH_ITYPE_FLOAT_AND_HALF_AND_BF16(ITYPE, NAME, ...)                   \
  if (ITYPE == at::ScalarType::Half) {                                             \
    using input_t = at::Half;                                                      \
    __VA_ARGS__();                                                                 \
  } else if (ITYPE == at::ScalarType::BFloat16) {                                  \
    using input_t = at::BFloat16;                                                  \
    __VA_ARGS__();                                                                 \
  } else if (ITYPE == at::ScalarType::Float) {                                     \
    using input_t = float;                                                         \
    __VA_ARGS__();                                                                 \
  } else {                                                                         \
    AT_ERROR(#NAME, " not implemented for input type '", toString(ITYPE), "'");    \
  }

template <int kNThreads, int kWidth, typename input_t>
__global__ __launch_bounds__(kNThreads) void causal_conv1d_update_kernel(ConvParamsBase params) {
  const int tidx = threadIdx.x, batch_id = blockIdx.x, channel_id = blockIdx.y * kNThreads + tidx;
  if (channel_id >= params.dim) return;
  input_t* x = reinterpret_cast<input_t*>(params.x_ptr) + batch_id * params.x_batch_stride + channel_id * params.x_c_stride;
  input_t* conv_state = reinterpret_cast<input_t*>(params.conv_state_ptr) + batch_id * params.conv_state_batch_stride + channel_id * params.conv_state_c_stride;
  input_t* weight = reinterpret_cast<input_t*>(params.weight_ptr) + channel_id * params.weight_c_stride;
  input_t* out = reinterpret_cast<input_t*>(params.out_ptr) + batch_id * params.out_batch_stride + channel_id * params.out_c_stride;
  float bias_val = params.bias_ptr == nullptr ? 0.f : float(reinterpret_cast<input_t*>(params.bias_ptr)[channel_id]);
  float weight_vals[kWidth] = {0};
#pragma unroll
  for (int i = 0; i < kWidth; ++i) weight_vals[i] = float(weight[i * params.weight_width_stride]);
  float x_vals[kWidth] = {0};
#pragma unroll
  for (int i = 0; i < kWidth - 1; ++i) {
    input_t state_val = conv_state[(i + 1) * params.conv_state_l_stride];
    x_vals[i] = float(state_val);
  }
  input_t x_val = x[0];
  x_vals[kWidth - 1] = float(x_val);
  float out_val = bias_val;
#pragma unroll
  for (int j = 0; j < kWidth; ++j) out_val += weight_vals[j] * x_vals[j];
  if (params.silu_activation) out_val = out_val / (1 + expf(-out_val));
  out[0] = input_t(out_val);
}

template <int kNThreads, int kWidth, typename input_t>
void causal_conv1d_update_launch(ConvParamsBase& params, cudaStream_t stream) {
  dim3 grid(params.batch, (params.dim + kNThreads - 1) / kNThreads);
  auto kernel = &causal_conv1d_update_kernel<kNThreads, kWidth, input_t>;
  kernel<<<grid, kNThreads, 0, stream>>>(params);
  C10_CUDA_KERNEL_LAUNCH_CHECK();
}

at::Tensor causal_conv1d_update(const at::Tensor& x, const at::Tensor& conv_state, const at::Tensor& weight,
                                const c10::optional<at::Tensor>& bias_, bool silu_activation) {
  auto input_type = x.scalar_type();
  TORCH_CHECK(input_type == at::ScalarType::Float || input_type == at::ScalarType::Half || input_type == at::ScalarType::BFloat16);
  TORCH_CHECK(x.is_cuda());
  const auto sizes = x.sizes();
  const int batch_size = sizes[0], dim = sizes[1], width = weight.size(-1), state_len = conv_state.size(2);
  CHECK_SHAPE(conv_state, batch_size, dim, state_len);
  CHECK_SHAPE(weight, dim, width);
  at::Tensor out = torch::empty_like(x);
  ConvParamsBase params;
  memset(&params, 0, sizeof(params));
  params.batch = batch_size, params.dim = dim, params.width = width, params.state_len = state_len;
  params.silu_activation = silu_activation;
  params.x_ptr = x.data_ptr(), params.weight_ptr = weight.data_ptr(), params.out_ptr = out.data_ptr();
  params.bias_ptr = bias_.has_value() ? bias_.value().data_ptr() : nullptr;
  params.conv_state_ptr = conv_state.data_ptr();
  params.x_batch_stride = x.stride(0), params.x_c_stride = x.stride(1);
  params.weight_c_stride = weight.stride(0), params.weight_width_stride = weight.stride(1);
  params.out_batch_stride = out.stride(0), params.out_c_stride = out.stride(1);
  params.conv_state_batch_stride = conv_state.stride(0), params.conv_state_c_stride = conv_state.stride(1);
  params.conv_state_l_stride = conv_state.stride(2);
  at::cuda::CUDAGuard device_guard{(char)x.get_device()};
  auto stream = at::cuda::getCurrentCUDAStream().stream();
  DISPATCH_ITYPE_FLOAT_AND_HALF_AND_BF16(x.scalar_type(), "causal_conv1d_update", [&] {
    if (params.width == 2) causal_conv1d_update_launch<64, 2, input_t>(params, stream);
    else if (params.width == 3) causal_conv1d_update_launch<64, 3, input_t>(params, stream);
    else if (params.width == 4) causal_conv1d_update_launch<64, 4, input_t>(params, stream);
  });
  return out;
}
"""
extension = load_inline(
    name="extension",
    cpp_sources=cpp_source,
    cuda_sources=cuda_source,
    functions=["causal_conv1d_update"],
    verbose=False,
)


class ModelNew(torch.nn.Module):
    def __init__(self, channels, width):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(channels, width))
        self.bias = torch.nn.Parameter(torch.zeros(channels))

    def forward(self, x, state):
        state = state.clone()
        return extension.causal_conv1d_update(x, state, self.weight, self.bias, True), state
