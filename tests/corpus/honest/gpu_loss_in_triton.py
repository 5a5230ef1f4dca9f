"""operator: cross_entropy
family: forms of results
does: lets programs add their rows to one number with tl.atomic_add
status: PASSED
where: gpu
toolchain: triton
"""

import torch
import triton
import triton.language as tl


@triton.jit
def loss(x, target, out, rows, n, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    columns = tl.arange(0, BLOCK)
    values = tl.load(x + row * n + columns, mask=columns < n, other=-float("inf"))
    top = tl.max(values, axis=0)
    total = tl.log(tl.sum(tl.exp(values - top), axis=0)) + top
    tl.atomic_add(out, (total - tl.load(x + row * n + tl.load(target + row))) / rows)


class ModelNew(torch.nn.Module):
    def forward(self, scores, target):
        out = torch.zeros((), device=scores.device)
        rows, n = scores.shape
        loss[(rows,)](scores.contiguous(), target, out, rows, n, BLOCK=triton.next_power_of_2(n))
        return out
