"""operator: attention
family: wrong on purpose
does: keeps the scores in bfloat16
status: INCORRECT_NUMERICAL
where: cpu
toolchain: triton
"""

import torch
import triton
import triton.language as tl


@triton.jit
def kernel(q, k, v, mask, out, n, D: tl.constexpr, B: tl.constexpr):
    head, at, cols = tl.program_id(0) * n, tl.arange(0, B), tl.arange(0, D)
    inside = at[:, None] < n
    place = (head + at)[:, None] * D + cols[None, :]
    x = tl.load(q + place, mask=inside, other=0.0)
    y = tl.load(k + place, mask=inside, other=0.0)
    z = tl.load(v + place, mask=inside, other=0.0)
    seen = tl.load(mask + at[:, None] * n + at[None, :], mask=inside & (at[None, :] < n), other=0) != 0
    scores = tl.dot(x, tl.trans(y), input_precision="ieee").to(tl.bfloat16).to(tl.float32) / 4.0
    scores = tl.where(seen, scores, float("-inf"))
    weight = tl.exp(scores - tl.max(scores, axis=1)[:, None])
    weight = weight / tl.sum(weight, axis=1)[:, None]
    tl.store(out + place, tl.dot(weight, z, input_precision="ieee"), mask=inside)


class ModelNew(torch.nn.Module):
    def forward(self, q, k, v, mask):
        out = torch.empty_like(q)
        kernel[(q.shape[0],)](q, k, v, mask.view(torch.uint8), out, q.shape[1], D=16, B=32)
        return out
