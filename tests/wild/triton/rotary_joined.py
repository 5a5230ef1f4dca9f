"""operator: rotary_positions
dsl: triton
does: joins cosines and sines, splits and interleaves pairs of a row by reshapes; positions of 64 bits
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
import triton
import triton.language as tl


@triton.jit
def rotate(X, P, T, HEADS: tl.constexpr, D: tl.constexpr, HALF: tl.constexpr, PAD: tl.constexpr, HPAD: tl.constexpr):
    token = tl.program_id(0).to(tl.int64)
    position = tl.load(P + token)
    heads = tl.arange(0, HPAD)[:, None]
    cols = tl.arange(0, PAD)[None, :]
    mask = (heads < HEADS) & (cols < HALF)
    cos = tl.load(T + position * D + cols, mask=cols < HALF, other=0.0)
    sin = tl.load(T + position * D + HALF + cols, mask=cols < HALF, other=0.0)
    at = X + token * HEADS * D + heads * D + cols
    a = tl.load(at, mask=mask, other=0.0)
    b = tl.load(at + HALF, mask=mask, other=0.0)
    turned = tl.join(a * cos - b * sin, b * cos + a * sin)
    turned = tl.permute(turned, (0, 2, 1))
    both = tl.reshape(turned, (HPAD, 2 * PAD))
    flat = tl.arange(0, 2 * PAD)[None, :]
    half, col = flat // PAD, flat % PAD
    tl.store(X + token * HEADS * D + heads * D + half * HALF + col, both, mask=(heads < HEADS) & (col < HALF))


def turned(x, positions, table):
    x = x.clone()
    tokens, d = x.shape[0], table.shape[1]
    heads = x.shape[1] // d
    pad = triton.next_power_of_2(d // 2)
    rotate[(tokens,)](x, positions, table, HEADS=heads, D=d, HALF=d // 2, PAD=pad, HPAD=triton.next_power_of_2(heads))
    return x


class ModelNew(torch.nn.Module):
    def forward(self, positions, query, key, table):
        table = table.contiguous()
        return turned(query.contiguous(), positions, table), turned(key.contiguous(), positions, table)
