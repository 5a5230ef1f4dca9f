"""operator: paged_decode
dsl: triton
does: splits each sequence over programs and merges their softmaxes in a second kernel
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import math

import torch
import triton
import triton.language as tl


@triton.jit
def decode_stage1(
    Q,
    K,
    V,
    Table,
    Lengths,
    Mid,
    MidLse,
    sm_scale,
    stride_qb,
    stride_qh,
    stride_page,
    stride_slot,
    stride_head,
    stride_table,
    H,
    SPLITS: tl.constexpr,
    PAGE: tl.constexpr,
    D: tl.constexpr,
    BLOCK_N: tl.constexpr,
):
    b, h, split = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    length = tl.load(Lengths + b)
    d = tl.arange(0, D)
    q = tl.load(Q + b * stride_qb + h * stride_qh + d)
    per_split = tl.cdiv(tl.cdiv(length, SPLITS), BLOCK_N) * BLOCK_N
    begin = per_split * split
    end = tl.minimum(begin + per_split, length)
    e_max = -float("inf")
    e_sum = 0.0
    acc = tl.zeros([D], dtype=tl.float32)
    if end > begin:
        for start in range(begin, end, BLOCK_N):
            n = start + tl.arange(0, BLOCK_N)
            mask = n < end
            page = tl.load(Table + b * stride_table + n // PAGE, mask=mask, other=0)
            at = page * stride_page + (n % PAGE) * stride_slot + h * stride_head
            k = tl.load(K + at[:, None] + d[None, :], mask=mask[:, None], other=0.0)
            qk = tl.sum(q[None, :] * k, 1) * sm_scale
            qk = tl.where(mask, qk, float("-inf"))
            v = tl.load(V + at[:, None] + d[None, :], mask=mask[:, None], other=0.0)
            n_e_max = tl.maximum(tl.max(qk, 0), e_max)
            re_scale = tl.exp(e_max - n_e_max)
            p = tl.exp(qk - n_e_max)
            acc = acc * re_scale + tl.sum(p[:, None] * v, 0)
            e_sum = e_sum * re_scale + tl.sum(p, 0)
            e_max = n_e_max
        at = (b * H + h) * SPLITS + split
        tl.store(Mid + at * D + d, acc / e_sum)
        tl.store(MidLse + at, e_max + tl.log(e_sum))


@triton.jit
def decode_stage2(Mid, MidLse, Lengths, Out, H, SPLITS: tl.constexpr, D: tl.constexpr, BLOCK_N: tl.constexpr):
    b, h = tl.program_id(0), tl.program_id(1)
    length = tl.load(Lengths + b)
    d = tl.arange(0, D)
    e_max = -float("inf")
    e_sum = 0.0
    acc = tl.zeros([D], dtype=tl.float32)
    per_split = tl.cdiv(tl.cdiv(length, SPLITS), BLOCK_N) * BLOCK_N
    for split in range(0, SPLITS):
        if per_split * split < length:
            at = (b * H + h) * SPLITS + split
            value = tl.load(Mid + at * D + d)
            lse = tl.load(MidLse + at)
            n_e_max = tl.maximum(lse, e_max)
            scale = tl.exp(e_max - n_e_max)
            acc *= scale
            weight = tl.exp(lse - n_e_max)
            acc += weight * value
            e_sum = e_sum * scale + weight
            e_max = n_e_max
    tl.store(Out + (b * H + h) * D + d, acc / e_sum)


class ModelNew(torch.nn.Module):
    def forward(self, q, k_pages, v_pages, table, lengths):
        B, H, D = q.shape
        SPLITS = 2
        mid = torch.empty(B, H, SPLITS, D, dtype=torch.float32, device=q.device)
        lse = torch.empty(B, H, SPLITS, dtype=torch.float32, device=q.device)
        out = torch.empty_like(q)
        decode_stage1[(B, H, SPLITS)](
            q,
            k_pages,
            v_pages,
            table,
            lengths,
            mid,
            lse,
            1.0 / math.sqrt(D),
            q.stride(0),
            q.stride(1),
            k_pages.stride(0),
            k_pages.stride(1),
            k_pages.stride(2),
            table.stride(0),
            H,
            SPLITS=SPLITS,
            PAGE=k_pages.shape[1],
            D=D,
            BLOCK_N=16,
        )
        decode_stage2[(B, H)](mid, lse, lengths, out, H, SPLITS=SPLITS, D=D, BLOCK_N=16)
        return out
