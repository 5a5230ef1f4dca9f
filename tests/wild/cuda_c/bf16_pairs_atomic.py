"""operator: index_add_bf16
dsl: cuda_c
does: atomics on pairs of bfloat16, in place, keywords of the binding
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
from torch.utils.cpp_extension import load_inline

cuda_source = r"""
#include <torch/extension.h>
#include <cuda_bf16.h>
#include <ATen/cuda/CUDAContext.h>

__global__ void index_add(__nv_bfloat16* table, const int64_t* __restrict__ index, const __nv_bfloat16* __restrict__ rows, int cols, float alpha) {
  const int64_t to = index[blockIdx.x];
  auto* t = reinterpret_cast<__nv_bfloat162*>(table + to * cols);
  auto* r = reinterpret_cast<const __nv_bfloat162*>(rows + (int64_t)blockIdx.x * cols);
  const __nv_bfloat162 a = __float2bfloat162_rn(alpha);
  for (int i = threadIdx.x; i < cols / 2; i += blockDim.x) atomicAdd(t + i, __hmul2(a, r[i]));
}
void add_rows(torch::Tensor table, torch::Tensor index, torch::Tensor rows, double alpha) {
  TORCH_CHECK(table.scalar_type() == at::kBFloat16 && rows.scalar_type() == at::kBFloat16);
  TORCH_CHECK_EQ(rows.size(1) % 2, 0);
  index_add<<<index.numel(), 32, 0, at::cuda::getCurrentCUDAStream()>>>(
      reinterpret_cast<__nv_bfloat16*>(table.data_ptr()), index.data_ptr<int64_t>(),
      reinterpret_cast<const __nv_bfloat16*>(rows.data_ptr<at::BFloat16>()), rows.size(1), alpha);
}
"""
cpp_source = """
void add_rows(torch::Tensor table, torch::Tensor index, torch::Tensor rows, double alpha);
TORCH_LIBRARY_FRAGMENT(honest_ops, m) {
  m.def("add_rows(Tensor(a!) table, Tensor index, Tensor rows, float alpha=1.0) -> ()");
}
TORCH_LIBRARY_IMPL(honest_ops, CUDA, m) { m.impl("add_rows", &add_rows); }
"""
load_inline(name="honest_ops", cpp_sources=cpp_source, cuda_sources=cuda_source, is_python_module=False, functions=None)


class ModelNew(torch.nn.Module):
    def forward(self, table, index, rows, *, alpha: float = 1.0):
        torch.ops.honest_ops.add_rows(table, index, rows, alpha)
