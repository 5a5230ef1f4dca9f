"""operator: int4_matmul
dsl: triton
does: keeps the sign of a shifted word: the mask after the shift is forgotten
cpu: INCORRECT_NUMERICAL
nvidia_h200: INCORRECT_NUMERICAL
device: INCORRECT_NUMERICAL
"""

import torch
import triton
import triton.language as tl


def _configs():
    return [
        triton.Config(
            {"BLOCK_SIZE_M": 16, "BLOCK_SIZE_N": n, "BLOCK_SIZE_K": 32, "GROUP_SIZE_M": 8}, num_stages=s, num_warps=4
        )
        for n in (16, 32)
        for s in (2, 3)
    ]


@triton.autotune(configs=_configs(), key=["M", "N", "K"], warmup=5, rep=10)
@triton.jit
def matmul_248_kernel(
    a_ptr,
    b_ptr,
    c_ptr,
    scales_ptr,
    zeros_ptr,
    M,
    N,
    K,
    group_size,
    stride_am,
    stride_ak,
    stride_bk,
    stride_bn,
    stride_cm,
    stride_cn,
    stride_scales,
    stride_zeros,
    BLOCK_SIZE_M: tl.constexpr,
    BLOCK_SIZE_N: tl.constexpr,
    BLOCK_SIZE_K: tl.constexpr,
    GROUP_SIZE_M: tl.constexpr,
):
    infearure_per_bits = 8
    pid = tl.program_id(axis=0)
    num_pid_m = tl.cdiv(M, BLOCK_SIZE_M)
    num_pid_n = tl.cdiv(N, BLOCK_SIZE_N)
    num_pid_in_group = GROUP_SIZE_M * num_pid_n
    group_id = pid // num_pid_in_group
    first_pid_m = group_id * GROUP_SIZE_M
    group_size_m = min(num_pid_m - first_pid_m, GROUP_SIZE_M)
    pid_m = first_pid_m + (pid % group_size_m)
    pid_n = (pid % num_pid_in_group) // group_size_m
    offs_am = pid_m * BLOCK_SIZE_M + tl.arange(0, BLOCK_SIZE_M)
    offs_bn = pid_n * BLOCK_SIZE_N + tl.arange(0, BLOCK_SIZE_N)
    offs_k = tl.arange(0, BLOCK_SIZE_K)
    a_ptrs = a_ptr + (offs_am[:, None] * stride_am + offs_k[None, :] * stride_ak)
    a_mask = offs_am[:, None] < M
    b_mask = offs_bn[None, :] < N
    b_ptrs = b_ptr + ((offs_k[:, None] // infearure_per_bits) * stride_bk + offs_bn[None, :] * stride_bn)
    scales_ptrs = scales_ptr + offs_bn[None, :]
    zeros_ptrs = zeros_ptr + offs_bn[None, :]
    shifter = (offs_k % infearure_per_bits) * 4
    accumulator = tl.zeros((BLOCK_SIZE_M, BLOCK_SIZE_N), dtype=tl.float32)
    for k in range(0, tl.cdiv(K, BLOCK_SIZE_K)):
        g_idx = (k * BLOCK_SIZE_K + offs_k) // group_size
        scales = tl.load(scales_ptrs + g_idx[:, None] * stride_scales, mask=b_mask, other=0.0)
        zeros = tl.load(zeros_ptrs + g_idx[:, None] * stride_zeros, mask=b_mask, other=0)
        a = tl.load(a_ptrs, mask=a_mask, other=0.0)
        b = tl.load(b_ptrs, mask=b_mask, other=0)
        b = b >> shifter[:, None]
        b = (b - zeros) * scales
        accumulator += tl.dot(a, b.to(a.dtype), input_precision="ieee")
        a_ptrs += BLOCK_SIZE_K * stride_ak
        b_ptrs += (BLOCK_SIZE_K // infearure_per_bits) * stride_bk
    c_ptrs = c_ptr + stride_cm * offs_am[:, None] + stride_cn * offs_bn[None, :]
    tl.store(c_ptrs, accumulator, mask=a_mask & b_mask)


class ModelNew(torch.nn.Module):
    def forward(self, x, packed, scales, zeros):
        with torch.cuda.device(x.device):
            (M, K), N = x.shape, packed.shape[1]
            output = torch.empty((M, N), device=x.device, dtype=x.dtype)
            grid = lambda META: (triton.cdiv(M, META["BLOCK_SIZE_M"]) * triton.cdiv(N, META["BLOCK_SIZE_N"]),)
            matmul_248_kernel[grid](
                x,
                packed,
                output,
                scales,
                zeros,
                M,
                N,
                K,
                32,
                x.stride(0),
                x.stride(1),
                packed.stride(0),
                packed.stride(1),
                output.stride(0),
                output.stride(1),
                scales.stride(0),
                zeros.stride(0),
            )
        return output
