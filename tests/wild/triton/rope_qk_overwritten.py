"""operator: rope_qk
dsl: triton
does: turns the second half by what it has already written over the first
cpu: INCORRECT_NUMERICAL
nvidia_h200: INCORRECT_NUMERICAL
device: INCORRECT_NUMERICAL
"""

import torch
import triton
import triton.language as tl


@triton.heuristics({"BACKWARD_PASS": lambda args: bool(args["BACKWARD_PASS"])})
@triton.jit
def _rope_embedding_QK(
    Q,
    Q_batch_stride,
    Q_head_stride,
    Q_seq_stride,
    K,
    K_batch_stride,
    K_head_stride,
    K_seq_stride,
    cos,
    cos_row_stride,
    sin,
    sin_row_stride,
    seqlen,
    head_dim: tl.constexpr,
    n_heads_K: tl.constexpr,
    BACKWARD_PASS: tl.constexpr,
    BLOCK_SIZE: tl.constexpr,
):
    row_position = tl.program_id(0)
    head_position = tl.program_id(1)
    col_offsets = tl.arange(0, BLOCK_SIZE)
    half_head_dim = head_dim // 2
    mask = col_offsets < half_head_dim
    rot_position = row_position % seqlen
    batch_id = row_position // seqlen
    seq_index = row_position - batch_id * seqlen
    sin1 = tl.load(sin + rot_position * sin_row_stride + col_offsets, mask=mask, other=0)
    cos1 = tl.load(cos + rot_position * cos_row_stride + col_offsets, mask=mask, other=0)
    if BACKWARD_PASS:
        sin1 = -sin1
    q_ptr = Q + batch_id * Q_batch_stride + head_position * Q_head_stride + seq_index * Q_seq_stride
    q0 = tl.load(q_ptr + col_offsets, mask=mask, other=0)
    q1 = tl.load(q_ptr + half_head_dim + col_offsets, mask=mask, other=0)
    tl.store(q_ptr + col_offsets, q0 * cos1 - q1 * sin1, mask=mask)
    q0 = tl.load(q_ptr + col_offsets, mask=mask, other=0)
    tl.store(q_ptr + half_head_dim + col_offsets, q1 * cos1 + q0 * sin1, mask=mask)
    if head_position < n_heads_K:
        k_ptr = K + batch_id * K_batch_stride + head_position * K_head_stride + seq_index * K_seq_stride
        k0 = tl.load(k_ptr + col_offsets, mask=mask, other=0)
        k1 = tl.load(k_ptr + half_head_dim + col_offsets, mask=mask, other=0)
        tl.store(k_ptr + col_offsets, k0 * cos1 - k1 * sin1, mask=mask)
        tl.store(k_ptr + half_head_dim + col_offsets, k1 * cos1 + k0 * sin1, mask=mask)


class Fast_RoPE_Embedding_QK(torch.autograd.Function):
    @staticmethod
    def forward(ctx, Q, K, cos, sin):
        batch, n_heads_Q, seq_len, head_dim = Q.shape
        n_heads_K = K.shape[1]
        Q_out = Q.clone()
        K_out = K.clone()
        if Q_out.stride(-1) != 1:
            Q_out = Q_out.contiguous()
        cos, sin = cos.squeeze(), sin.squeeze()
        with torch.cuda.device(Q.device):
            _rope_embedding_QK[(batch * seq_len, n_heads_Q)](
                Q_out,
                Q_out.stride(0),
                Q_out.stride(1),
                Q_out.stride(2),
                K_out,
                K_out.stride(0),
                K_out.stride(1),
                K_out.stride(2),
                cos,
                cos.stride(0),
                sin,
                sin.stride(0),
                seq_len,
                head_dim=head_dim,
                n_heads_K=n_heads_K,
                BACKWARD_PASS=False,
                BLOCK_SIZE=triton.next_power_of_2(head_dim // 2),
                num_warps=4,
            )
        ctx.cos, ctx.sin, ctx.seq_len = cos, sin, seq_len
        return Q_out, K_out


class ModelNew(torch.nn.Module):
    def forward(self, q, k, cos, sin):
        q_out, k_out = Fast_RoPE_Embedding_QK.apply(q.transpose(1, 2).contiguous().transpose(1, 2), k, cos, sin)
        return q_out.contiguous(), k_out
