"""operator: batch_statistics
dsl: cuda_c
does: waits for its own block where all blocks have to meet
cpu: RUNTIME_ERROR
nvidia_h200: RUNTIME_ERROR
device: INCORRECT_NUMERICAL PASSED
message: threads race
"""

import torch
from torch.utils.cpp_extension import load_inline

source = r"""
#include <torch/extension.h>
#include <cuda_runtime.h>
#include <cooperative_groups.h>
#include <c10/cuda/CUDAStream.h>
namespace cg = cooperative_groups;

constexpr int THREADS = 64;

__global__ void bn_coop(const float* __restrict__ x, float* sums, float* mean, float* inv, float* y, int N, int C, int HW) {
    cg::grid_group grid = cg::this_grid();
    cg::thread_block block = cg::this_thread_block();
    auto tile = cg::tiled_partition<32>(block);
    __shared__ float s[2][2];
    const int c = blockIdx.y, part = blockIdx.x, parts = gridDim.x;
    float a = 0.f;
    for (int i = part * blockDim.x + threadIdx.x; i < N * HW; i += parts * blockDim.x)
        a += x[(i / HW) * C * HW + c * HW + i % HW];
    for (int o = tile.size() / 2; o > 0; o >>= 1) a += tile.shfl_down(a, o);
    if (tile.thread_rank() == 0) s[0][tile.meta_group_rank()] = a;
    block.sync();
    if (block.thread_rank() == 0) atomicAdd(&sums[c], s[0][0] + s[0][1]);
    grid.sync();
    const float m = *((volatile float*)&sums[c]) / (N * HW);
    float q = 0.f;
    for (int i = part * blockDim.x + threadIdx.x; i < N * HW; i += parts * blockDim.x) {
        const float d = x[(i / HW) * C * HW + c * HW + i % HW] - m;
        q += d * d;
    }
    for (int o = 16; o > 0; o >>= 1) q += tile.shfl_down(q, o);
    if (tile.thread_rank() == 0) s[1][tile.meta_group_rank()] = q;
    block.sync();
    if (threadIdx.x == 0) atomicAdd(&sums[C + c], s[1][0] + s[1][1]);
    block.sync();
    const float r = rsqrtf(*((volatile float*)&sums[C + c]) / (N * HW) + 1e-5f);
    if (part == 0 && threadIdx.x == 0) { mean[c] = m; inv[c] = r; }
    for (int i = part * blockDim.x + threadIdx.x; i < N * HW; i += parts * blockDim.x) {
        const int at = (i / HW) * C * HW + c * HW + i % HW;
        y[at] = (x[at] - m) * r;
    }
}

std::vector<torch::Tensor> bn(torch::Tensor x) {
    int N = x.size(0), C = x.size(1), HW = x.size(2) * x.size(3);
    auto sums = torch::zeros({2 * C}, x.options());
    auto mean = torch::empty({C}, x.options()), inv = torch::empty({C}, x.options());
    auto y = torch::empty_like(x);
    const float* xp = x.data_ptr<float>();
    float *sp = sums.data_ptr<float>(), *mp = mean.data_ptr<float>(), *ip = inv.data_ptr<float>(), *yp = y.data_ptr<float>();
    int supported = 0, dev = 0;
    cudaGetDevice(&dev);
    cudaDeviceGetAttribute(&supported, cudaDevAttrCooperativeLaunch, dev);
    TORCH_CHECK(supported, "no cooperative launch");
    void* args[] = {&xp, &sp, &mp, &ip, &yp, &N, &C, &HW};
    C10_CUDA_CHECK(cudaLaunchCooperativeKernel((void*)bn_coop, dim3(3, C), dim3(THREADS), args, 0, at::cuda::getCurrentCUDAStream()));
    return {mean, inv, y};
}
"""
bn = load_inline(
    name="bn_coop",
    cpp_sources="std::vector<torch::Tensor> bn(torch::Tensor x);",
    cuda_sources=source,
    functions=["bn"],
    verbose=True,
)


class ModelNew(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.bn = bn

    def forward(self, x):
        return tuple(self.bn.bn(x.contiguous()))
