"""operator: rope
dsl: triton
does: rotates halves of several heads at once, with strides and a helper that is passed as a constant
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
import triton
import triton.language as tl

ROPE_GROUP_SIZE: tl.constexpr = tl.constexpr(4)


@triton.jit
def forward_rule(a, b, cos, sin):
    return a * cos - b * sin, b * cos + a * sin


@triton.heuristics({"BACKWARD_PASS": lambda args: bool(args["BACKWARD_PASS"])})
@triton.jit
def _rope_embedding(
    Q,
    O,
    Q_row_stride: tl.constexpr,
    cos,
    cos_row_stride,
    sin,
    sin_row_stride,
    seqlen,
    head_dim: tl.constexpr,
    n_heads: tl.constexpr,
    RULE: tl.constexpr,
    BACKWARD_PASS: tl.constexpr,
    BLOCK_SIZE: tl.constexpr,
):
    row_position = tl.program_id(0)
    group = tl.program_id(1)
    col = tl.arange(0, BLOCK_SIZE)
    half = head_dim // 2
    mask = col < half
    sin1 = tl.load(sin + (row_position % seqlen) * sin_row_stride + col, mask=mask, other=0)
    cos1 = tl.load(cos + (row_position % seqlen) * cos_row_stride + col, mask=mask, other=0)
    if BACKWARD_PASS:
        sin1 = -sin1
    head_start = group * ROPE_GROUP_SIZE
    head_end = min((head_start + ROPE_GROUP_SIZE), n_heads)
    for k in range(head_start, head_end):
        at = row_position * Q_row_stride + k * head_dim + col
        q1 = tl.load(Q + at, mask=mask, other=0).to(sin1.dtype)
        q2 = tl.load(Q + at + half, mask=mask, other=0).to(sin1.dtype)
        r1, r2 = RULE(q1, q2, cos1, sin1)
        tl.store(O + at, r1, mask=mask)
        tl.store(O + at + half, r2, mask=mask)


class ModelNew(torch.nn.Module):
    def forward(self, q, cos, sin):
        batch, seqlen, n_heads, head_dim = q.shape
        q = q.contiguous()
        rows = q.view(batch * seqlen, n_heads * head_dim)
        out = torch.empty_like(rows)
        div, mod = divmod(n_heads, 4)
        n_groups = div + (mod != 0)
        with torch.cuda.device(q.device):
            _rope_embedding[(batch * seqlen, n_groups)](
                rows,
                out,
                rows.stride(0),
                cos,
                cos.stride(0),
                sin,
                sin.stride(0),
                seqlen,
                head_dim=head_dim,
                n_heads=n_heads,
                RULE=forward_rule,
                BACKWARD_PASS=False,
                BLOCK_SIZE=triton.next_power_of_2(head_dim // 2),
                num_warps=4,
            )
        return out.view(batch, seqlen, n_heads, head_dim)
