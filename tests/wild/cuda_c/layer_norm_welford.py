"""operator: layernorm
dsl: cuda_c
does: Welford's statistics in the type of sums, combined over warps; bound by its own module
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
from torch.utils.cpp_extension import load_inline

cpp_source = """"""
cuda_source = r"""
#include <torch/extension.h>
#include <ATen/AccumulateType.h>

template <typename acc_t>
__device__ void welford(acc_t value, acc_t& mean, acc_t& m2, int& count) {
  ++count;
  const acc_t delta = value - mean;
  mean += delta / count;
  m2 += delta * (value - mean);
}
template <typename acc_t>
__device__ void combine(acc_t mean_b, acc_t m2_b, int count_b, acc_t& mean, acc_t& m2, int& count) {
  if (count_b == 0) return;
  const acc_t delta = mean_b - mean, total = count + count_b;
  mean += delta * count_b / total;
  m2 += m2_b + delta * delta * count * count_b / total;
  count += count_b;
}

template <typename scalar_t, typename acc_t>
__global__ void layer_norm_kernel(const scalar_t* x, const scalar_t* w, const scalar_t* b, scalar_t* y, int n, acc_t eps) {
  extern __shared__ unsigned char raw[];
  acc_t* means = reinterpret_cast<acc_t*>(raw);
  acc_t* m2s = means + blockDim.y;
  int* counts = reinterpret_cast<int*>(m2s + blockDim.y);
  acc_t mean = 0, m2 = 0;
  int count = 0;
  const scalar_t* row = x + int64_t(blockIdx.x) * n;
  for (int i = threadIdx.y * blockDim.x + threadIdx.x; i < n; i += blockDim.x * blockDim.y)
    welford<acc_t>(row[i], mean, m2, count);
  for (int offset = 16; offset > 0; offset /= 2) {
    const acc_t mean_b = __shfl_down_sync(0xffffffffu, mean, offset), m2_b = __shfl_down_sync(0xffffffffu, m2, offset);
    const int count_b = __shfl_down_sync(0xffffffffu, count, offset);
    combine(mean_b, m2_b, count_b, mean, m2, count);
  }
  if (threadIdx.x == 0) means[threadIdx.y] = mean, m2s[threadIdx.y] = m2, counts[threadIdx.y] = count;
  __syncthreads();
  mean = means[0], m2 = m2s[0], count = counts[0];
  for (int i = 1; i < blockDim.y; ++i) combine(means[i], m2s[i], counts[i], mean, m2, count);
  const acc_t scale = rsqrt(m2 / n + eps);
  for (int i = threadIdx.y * blockDim.x + threadIdx.x; i < n; i += blockDim.x * blockDim.y)
    y[int64_t(blockIdx.x) * n + i] = static_cast<scalar_t>((acc_t(row[i]) - mean) * scale * acc_t(w[i]) + acc_t(b[i]));
}

at::Tensor layer_norm(at::Tensor x, at::Tensor weight, at::Tensor bias, double eps) {
  auto y = at::empty_like(x);
  const int n = weight.numel();
  dim3 threads(32, 4);
  AT_DISPATCH_FLOATING_TYPES_AND2(at::ScalarType::Half, at::ScalarType::BFloat16, x.scalar_type(), "layer_norm", ([&] {
    using acc_t = at::acc_type<scalar_t, true>;
    layer_norm_kernel<scalar_t, acc_t><<<x.numel() / n, threads, threads.y * (2 * sizeof(acc_t) + sizeof(int))>>>(
        x.data_ptr<scalar_t>(), weight.data_ptr<scalar_t>(), bias.data_ptr<scalar_t>(), y.data_ptr<scalar_t>(), n, eps);
  }));
  return y;
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  m.def("layer_norm", &layer_norm, "layer norm", py::arg("x"), py::arg("weight"), py::arg("bias"), py::arg("eps") = 1e-5);
}
"""
extension = load_inline(
    name="extension",
    cpp_sources=cpp_source,
    cuda_sources=cuda_source,
    functions=None,
    verbose=False,
)


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))

    def forward(self, x):
        return extension.layer_norm(x.contiguous(), self.weight, bias=self.bias)
