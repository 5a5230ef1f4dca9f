"""operator: attention_masked
dsl: triton
does: subtracts minus infinity from itself in rows that may see nothing
cpu: INCORRECT_NUMERICAL
nvidia_h200: INCORRECT_NUMERICAL
device: INCORRECT_NUMERICAL
"""

import torch
import triton
import triton.language as tl


@triton.jit
def _sparse_fwd(
    Q,
    K,
    V,
    O,
    mask_ptr,
    stride_h,
    stride_kh,
    stride_m,
    NQ,
    NK,
    n_blocks_k,
    sm_scale,
    BLOCK: tl.constexpr,
    D: tl.constexpr,
    GUARD: tl.constexpr,
    DEBUG: tl.constexpr = False,
):
    pid_m, pid_h = tl.program_id(0), tl.program_id(1)
    offs_m = pid_m * BLOCK + tl.arange(0, BLOCK)
    offs_d = tl.arange(0, D)
    q = tl.load(
        Q + pid_h * stride_h + offs_m[:, None] * stride_m + offs_d[None, :], mask=offs_m[:, None] < NQ, other=0.0
    )
    m_i = tl.full([BLOCK], float("-inf"), tl.float32)
    l_i = tl.zeros([BLOCK], tl.float32)
    acc = tl.zeros([BLOCK, D], tl.float32)
    for j in range(0, n_blocks_k):
        on = tl.load(mask_ptr + pid_m * n_blocks_k + j)
        offs_n = j * BLOCK + tl.arange(0, BLOCK)
        kv_mask = (offs_n[:, None] < NK) & (on != 0)
        k = tl.load(K + pid_h * stride_kh + offs_n[:, None] * stride_m + offs_d[None, :], mask=kv_mask, other=0.0)
        v = tl.load(V + pid_h * stride_kh + offs_n[:, None] * stride_m + offs_d[None, :], mask=kv_mask, other=0.0)
        s = tl.dot(q, tl.trans(k), input_precision="ieee") * sm_scale
        s = tl.where((offs_n[None, :] < NK) & (on != 0), s, float("-inf"))
        if DEBUG:
            tl.device_print("block", j)
        m_new = tl.maximum(m_i, tl.max(s, 1))
        if GUARD:
            m_safe = tl.where(m_new == float("-inf"), 0.0, m_new)
        else:
            m_safe = m_new
        p = tl.exp(s - m_safe[:, None])
        alpha = tl.exp(m_i - m_safe)
        l_i = l_i * alpha + tl.sum(p, 1)
        acc = acc * alpha[:, None] + tl.dot(p, v, input_precision="ieee")
        m_i = m_new
    if GUARD:
        l_i = tl.where(l_i == 0.0, 1.0, l_i)
    acc = acc / l_i[:, None]
    tl.store(O + pid_h * stride_h + offs_m[:, None] * stride_m + offs_d[None, :], acc, mask=offs_m[:, None] < NQ)


class ModelNew(torch.nn.Module):
    def forward(self, q, k, v, blocks):
        H, NQ, D = q.shape
        NK = k.shape[1]
        q, k, v = q.contiguous(), k.contiguous(), v.contiguous()
        o = torch.empty_like(q)
        _sparse_fwd[(triton.cdiv(NQ, 16), H)](
            q,
            k,
            v,
            o,
            blocks.contiguous().view(torch.uint8),
            q.stride(0),
            k.stride(0),
            q.stride(1),
            NQ,
            NK,
            blocks.shape[1],
            D**-0.5,
            BLOCK=16,
            D=D,
            GUARD=False,
        )
        return o
