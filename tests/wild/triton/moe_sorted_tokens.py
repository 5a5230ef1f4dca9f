"""operator: moe
dsl: triton
does: sorts tokens by expert on the host, pads each expert's share to whole blocks, and multiplies block by block
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
import triton
import triton.language as tl


@triton.jit
def fused_moe_kernel(
    a_ptr,
    b_ptr,
    c_ptr,
    sorted_token_ids_ptr,
    expert_ids_ptr,
    N,
    K,
    num_valid_tokens,
    stride_am,
    stride_ak,
    stride_be,
    stride_bk,
    stride_bn,
    stride_cm,
    stride_cn,
    BLOCK_SIZE_M: tl.constexpr,
    BLOCK_SIZE_N: tl.constexpr,
    BLOCK_SIZE_K: tl.constexpr,
    compute_type: tl.constexpr,
):
    pid_m = tl.program_id(axis=0)
    pid_n = tl.program_id(axis=1)
    offs_token_id = pid_m * BLOCK_SIZE_M + tl.arange(0, BLOCK_SIZE_M).to(tl.int64)
    offs_token = tl.load(sorted_token_ids_ptr + offs_token_id)
    token_mask = offs_token < num_valid_tokens
    off_experts = tl.load(expert_ids_ptr + pid_m).to(tl.int64)
    if off_experts == -1:
        return
    offs_bn = (pid_n * BLOCK_SIZE_N + tl.arange(0, BLOCK_SIZE_N).to(tl.int64)) % N
    offs_k = tl.arange(0, BLOCK_SIZE_K)
    a_ptrs = a_ptr + (offs_token[:, None] * stride_am + offs_k[None, :] * stride_ak)
    b_ptrs = b_ptr + off_experts * stride_be + (offs_k[:, None] * stride_bk + offs_bn[None, :] * stride_bn)
    accumulator = tl.zeros((BLOCK_SIZE_M, BLOCK_SIZE_N), dtype=tl.float32)
    for k in range(0, tl.cdiv(K, BLOCK_SIZE_K)):
        a = tl.load(a_ptrs, mask=token_mask[:, None] & (offs_k[None, :] < K - k * BLOCK_SIZE_K), other=0.0)
        b = tl.load(b_ptrs, mask=offs_k[:, None] < K - k * BLOCK_SIZE_K, other=0.0)
        accumulator += tl.dot(a, b, input_precision="ieee")
        a_ptrs += BLOCK_SIZE_K * stride_ak
        b_ptrs += BLOCK_SIZE_K * stride_bk
    accumulator = accumulator.to(compute_type)
    offs_cn = pid_n * BLOCK_SIZE_N + tl.arange(0, BLOCK_SIZE_N)
    c_ptrs = c_ptr + stride_cm * offs_token[:, None] + stride_cn * offs_cn[None, :]
    tl.store(c_ptrs, accumulator, mask=token_mask[:, None] & (offs_cn[None, :] < N))


TYPES = {torch.float32: tl.float32, torch.float16: tl.float16, torch.bfloat16: tl.bfloat16}


def align_block_size(expert, block, experts):
    order = torch.argsort(expert, stable=True).tolist()
    counts = torch.bincount(expert, minlength=experts).tolist()
    tokens, blocks, at = [], [], 0
    for e, count in enumerate(counts):
        padded = triton.cdiv(count, block) * block
        tokens += order[at : at + count] + [len(order)] * (padded - count)
        blocks += [e] * (padded // block)
        at += count
    to = dict(dtype=torch.int32, device=expert.device)
    return torch.tensor(tokens, **to), torch.tensor(blocks, **to)


class ModelNew(torch.nn.Module):
    def forward(self, x, w, expert):
        M, K = x.shape
        E, _, N = w.shape
        config = {"BLOCK_SIZE_M": 16, "BLOCK_SIZE_N": 32, "BLOCK_SIZE_K": 16}
        tokens, blocks = align_block_size(expert, config["BLOCK_SIZE_M"], E)
        c = torch.empty((M, N), device=x.device, dtype=x.dtype)
        grid = lambda META: (blocks.numel(), triton.cdiv(N, META["BLOCK_SIZE_N"]))
        fused_moe_kernel[grid](
            x,
            w,
            c,
            tokens,
            blocks,
            N,
            K,
            M,
            x.stride(0),
            x.stride(1),
            w.stride(0),
            w.stride(1),
            w.stride(2),
            c.stride(0),
            c.stride(1),
            compute_type=TYPES[x.dtype],
            **config,
        )
        return c
