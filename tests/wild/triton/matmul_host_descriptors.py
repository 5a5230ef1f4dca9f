"""operator: matmul_leaky
dsl: triton
does: descriptors made on the host, whose blocks a hook sets before each configuration runs
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
import triton
import triton.language as tl
from triton.tools.tensor_descriptor import TensorDescriptor


def matmul_tma_set_block_size_hook(nargs):
    BLOCK_M, BLOCK_N, BLOCK_K = nargs["BLOCK_SIZE_M"], nargs["BLOCK_SIZE_N"], nargs["BLOCK_SIZE_K"]
    nargs["a_desc"].block_shape = [BLOCK_M, BLOCK_K]
    nargs["b_desc"].block_shape = [BLOCK_N, BLOCK_K]
    nargs["c_desc"].block_shape = [BLOCK_M, BLOCK_N]


def matmul_get_configs(pre_hook=None):
    return [
        triton.Config(
            {"BLOCK_SIZE_M": BM, "BLOCK_SIZE_N": BN, "BLOCK_SIZE_K": BK}, num_stages=s, num_warps=4, pre_hook=pre_hook
        )
        for BM in [16, 32]
        for BN in [16, 32]
        for BK in [32]
        for s in [2]
    ]


@triton.autotune(configs=matmul_get_configs(pre_hook=matmul_tma_set_block_size_hook), key=["M", "N", "K"])
@triton.jit
def matmul_kernel_tma(
    a_desc,
    b_desc,
    c_desc,
    M,
    N,
    K,
    BLOCK_SIZE_M: tl.constexpr,
    BLOCK_SIZE_N: tl.constexpr,
    BLOCK_SIZE_K: tl.constexpr,
    FP8_OUTPUT: tl.constexpr,
):
    dtype = tl.float8e4nv if FP8_OUTPUT else tl.float16
    pid = tl.program_id(axis=0)
    num_pid_n = tl.cdiv(N, BLOCK_SIZE_N)
    pid_m = pid // num_pid_n
    pid_n = pid % num_pid_n
    offs_am = pid_m * BLOCK_SIZE_M
    offs_bn = pid_n * BLOCK_SIZE_N
    accumulator = tl.zeros((BLOCK_SIZE_M, BLOCK_SIZE_N), dtype=tl.float32)
    for k in tl.range(tl.cdiv(K, BLOCK_SIZE_K), warp_specialize=False, num_stages=2):
        offs_k = k * BLOCK_SIZE_K
        a = a_desc.load([offs_am, offs_k])
        b = b_desc.load([offs_bn, offs_k])
        accumulator = tl.dot(a, b.T, accumulator)
    accumulator = tl.where(accumulator > 0, accumulator, accumulator * 0.01)
    c_desc.store([offs_am, offs_bn], accumulator.to(dtype))


class ModelNew(torch.nn.Module):
    def forward(self, a, b):
        b = b.t().contiguous()
        assert a.shape[1] == b.shape[1], "Incompatible dimensions"
        (M, K), N = a.shape, b.shape[0]
        c = torch.empty((M, N), device=a.device, dtype=a.dtype)
        dummy_block = [1, 1]
        a_desc = TensorDescriptor.from_tensor(a, dummy_block)
        b_desc = TensorDescriptor.from_tensor(b, dummy_block)
        c_desc = TensorDescriptor.from_tensor(c, dummy_block)
        grid = lambda META: (triton.cdiv(M, META["BLOCK_SIZE_M"]) * triton.cdiv(N, META["BLOCK_SIZE_N"]),)
        matmul_kernel_tma[grid](a_desc, b_desc, c_desc, M, N, K, FP8_OUTPUT=False)
        return c
