"""operator: sized_matmul
family: wrong on purpose
does: counts the tiles of the depth by a division that rounds down
status: INCORRECT_NUMERICAL
where: cpu
toolchain: triton
message: a shape that was not announced
"""

import torch
import triton
import triton.language as tl


@triton.jit
def product(a, b, out, m, n, k, TILE: tl.constexpr):
    rows = tl.program_id(0) * TILE + tl.arange(0, TILE)
    columns = tl.program_id(1) * TILE + tl.arange(0, TILE)
    depth = tl.arange(0, TILE)
    total = tl.zeros((TILE, TILE), dtype=tl.float32)
    for step in range(k // TILE):
        at = step * TILE + depth
        left = tl.load(a + rows[:, None] * k + at[None, :], mask=(rows[:, None] < m) & (at[None, :] < k), other=0.0)
        there = (at[:, None] < k) & (columns[None, :] < n)
        right = tl.load(b + at[:, None] * n + columns[None, :], mask=there, other=0.0)
        total += tl.dot(left, right, input_precision="ieee")
    inside = (rows[:, None] < m) & (columns[None, :] < n)
    tl.store(out + rows[:, None] * n + columns[None, :], total, mask=inside)


class ModelNew(torch.nn.Module):
    def forward(self, a, b):
        m, k = a.shape
        n = b.shape[1]
        out = torch.empty(m, n, device=a.device)
        product[(triton.cdiv(m, 16), triton.cdiv(n, 16))](a, b, out, m, n, k, TILE=16)
        return out
