"""operator: attention_grouped
family: wrong on purpose
does: forgets that queries may not look ahead within a block
status: INCORRECT_NUMERICAL
where: cpu
toolchain: triton
"""

import torch
import triton
import triton.language as tl


@triton.jit
def attend(q, k, v, out, T, scale, H: tl.constexpr, G: tl.constexpr, D: tl.constexpr, M: tl.constexpr, N: tl.constexpr):
    block, head = tl.program_id(0), tl.program_id(1)
    rows, cols, lanes = block * M + tl.arange(0, M), tl.arange(0, N), tl.arange(0, D)
    kv = (head // H) * (H // G) + (head % H) // G
    at = head * T * D + rows[:, None] * D + lanes[None, :]
    query = tl.load(q + at, mask=rows[:, None] < T, other=0.0)
    most = tl.full([M], -float("inf"), tl.float32)
    total = tl.zeros([M], tl.float32)
    acc = tl.zeros([M, D], tl.float32)
    for start in range(0, (block + 1) * M, N):
        keys = start + cols
        there = kv * T * D + keys[:, None] * D + lanes[None, :]
        key = tl.load(k + there, mask=keys[:, None] < T, other=0.0)
        value = tl.load(v + there, mask=keys[:, None] < T, other=0.0)
        s = tl.dot(query, tl.trans(key), input_precision="ieee") * scale
        s = tl.where((keys[None, :] // 4 <= rows[:, None] // 4) & (keys[None, :] < T), s, -float("inf"))
        top = tl.maximum(most, tl.max(s, axis=1))
        p = tl.exp2(s - top[:, None])
        keep = tl.exp2(most - top)
        total = total * keep + tl.sum(p, axis=1)
        acc = acc * keep[:, None] + tl.dot(p, value, input_precision="ieee")
        most = top
    tl.store(out + at, acc / total[:, None], mask=rows[:, None] < T)


class ModelNew(torch.nn.Module):
    def forward(self, q, k, v):
        q, k, v = (t.contiguous() for t in (q, k, v))
        B, H, T, D = q.shape
        out = torch.empty_like(q)
        scale = 1.4426950408889634 / D**0.5
        grid = (triton.cdiv(T, 16), B * H)
        attend[grid](q, k, v, out, T, scale, H=H, G=H // k.shape[1], D=D, M=16, N=16)
        return out
