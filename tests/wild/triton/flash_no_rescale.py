"""operator: flash_attention
dsl: triton
does: forgets to rescale the accumulator when the maximum moves
cpu: INCORRECT_NUMERICAL
nvidia_h200: INCORRECT_NUMERICAL
device: INCORRECT_NUMERICAL
message: elements are wrong
"""

import math

import torch
import triton
import triton.language as tl


def keep(conf):
    return not (conf.kwargs["BLOCK_M"] * conf.kwargs["BLOCK_N"] > 64 * 64 and conf.num_warps == 8)


configs = [
    triton.Config({"BLOCK_M": BM, "BLOCK_N": BN}, num_stages=s, num_warps=w)
    for BM in [16, 32]
    for BN in [16, 32]
    for s in [2]
    for w in [4, 8]
]


def prune_invalid_configs(configs, named_args, **kwargs):
    N_CTX = kwargs["N_CTX"]
    return [conf for conf in configs if conf.kwargs.get("BLOCK_M", 0) <= N_CTX]


@triton.jit
def _attn_fwd_inner(
    acc,
    l_i,
    m_i,
    q,
    k_base,
    v_base,
    offs_m,
    offs_d,
    lo,
    hi,
    stride_n,
    qk_scale,
    N_CTX,
    BLOCK_N: tl.constexpr,
    STAGE: tl.constexpr,
):
    offs_n = tl.arange(0, BLOCK_N)
    for start_n in tl.range(lo, hi, BLOCK_N):
        start_n = tl.multiple_of(start_n, BLOCK_N)
        cols = start_n + offs_n
        k = tl.load(k_base + cols[None, :] * stride_n + offs_d[:, None], mask=cols[None, :] < N_CTX, other=0.0)
        qk = tl.dot(q, k, input_precision="ieee")
        if STAGE == 2:
            mask = offs_m[:, None] >= cols[None, :]
            qk = qk * qk_scale + tl.where(mask, 0, -1.0e6)
            m_ij = tl.maximum(m_i, tl.max(qk, 1))
            qk -= m_ij[:, None]
        else:
            m_ij = tl.maximum(m_i, tl.max(qk, 1) * qk_scale)
            qk = qk * qk_scale - m_ij[:, None]
        p = tl.math.exp2(qk)
        alpha = tl.math.exp2(m_i - m_ij)
        l_ij = tl.sum(p, 1)
        acc = acc * 1.0
        v = tl.load(v_base + cols[:, None] * stride_n + offs_d[None, :], mask=cols[:, None] < N_CTX, other=0.0)
        acc = tl.dot(p.to(v.dtype), v, acc, input_precision="ieee")
        l_i = l_i * alpha + l_ij
        m_i = m_ij
    return acc, l_i, m_i


@triton.autotune(
    configs=list(filter(keep, configs)),
    key=["N_CTX", "HEAD_DIM"],
    prune_configs_by={"early_config_prune": prune_invalid_configs},
)
@triton.jit
def _attn_fwd(
    sm_scale,
    Q,
    K,
    V,
    Out,
    stride_h,
    stride_n,
    H,
    N_CTX,
    HEAD_DIM: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
):
    start_m = tl.program_id(0)
    off_hz = tl.program_id(1)
    base = off_hz.to(tl.int64) * stride_h
    offs_m = start_m * BLOCK_M + tl.arange(0, BLOCK_M)
    offs_d = tl.arange(0, HEAD_DIM)
    m_i = tl.zeros([BLOCK_M], dtype=tl.float32) - float("inf")
    l_i = tl.zeros([BLOCK_M], dtype=tl.float32) + 1.0
    acc = tl.zeros([BLOCK_M, HEAD_DIM], dtype=tl.float32)
    qk_scale = sm_scale
    qk_scale *= 1.44269504
    q = tl.load(Q + base + offs_m[:, None] * stride_n + offs_d[None, :], mask=offs_m[:, None] < N_CTX, other=0.0)
    low = start_m * BLOCK_M // BLOCK_N * BLOCK_N
    acc, l_i, m_i = _attn_fwd_inner(
        acc, l_i, m_i, q, K + base, V + base, offs_m, offs_d, 0, low, stride_n, qk_scale, N_CTX, BLOCK_N, 1
    )
    acc, l_i, m_i = _attn_fwd_inner(
        acc,
        l_i,
        m_i,
        q,
        K + base,
        V + base,
        offs_m,
        offs_d,
        low,
        (start_m + 1) * BLOCK_M,
        stride_n,
        qk_scale,
        N_CTX,
        BLOCK_N,
        2,
    )
    # l_i began at one where m_i was minus infinity: the first rescaling has dropped that one.
    acc = acc / l_i[:, None]
    tl.store(
        Out + base + offs_m[:, None] * stride_n + offs_d[None, :],
        acc.to(Out.type.element_ty),
        mask=offs_m[:, None] < N_CTX,
    )


class _attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k, v, sm_scale):
        o = torch.empty_like(q)
        B, H, T, D = q.shape
        assert D in {16, 32, 64, 128, 256}
        grid = lambda args: (triton.cdiv(T, args["BLOCK_M"]), B * H, 1)
        _attn_fwd[grid](sm_scale, q, k, v, o, q.stride(1), q.stride(2), H, N_CTX=T, HEAD_DIM=D)
        return o


attention = _attention.apply


class ModelNew(torch.nn.Module):
    def forward(self, q, k, v):
        return attention(q.contiguous(), k.contiguous(), v.contiguous(), 1.0 / math.sqrt(q.shape[-1]))
