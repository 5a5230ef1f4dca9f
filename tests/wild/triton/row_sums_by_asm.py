"""operator: row_sums
dsl: triton
does: adds with two instructions of inline assembly, which only the assembler knows
cpu: NOT_RUN
nvidia_h200: PASSED
device: PASSED
absent: inline assembly cannot be interpreted
"""

import torch
import triton
import triton.language as tl


@triton.jit
def rows_kernel(x_ptr, out_ptr, total_ptr, n, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    acc = tl.zeros([BLOCK], dtype=tl.float32)
    for start in range(0, n, BLOCK):
        cols = start + tl.arange(0, BLOCK)
        x = tl.load(x_ptr + row * n + cols, mask=cols < n, other=0.0)
        acc = tl.inline_asm_elementwise(
            "{ .reg .f32 t; add.f32 t, $1, $2; mov.f32 $0, t; }",
            "=f,f,f",
            [acc, x],
            dtype=tl.float32,
            is_pure=True,
            pack=1,
        )
    total = tl.sum(acc)
    tl.store(out_ptr + row, total)
    tl.atomic_add(total_ptr, total)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty(x.shape[0], device=x.device, dtype=x.dtype)
        total = torch.zeros((), device=x.device, dtype=x.dtype)
        rows_kernel[(x.shape[0],)](x, out, total, x.shape[1], BLOCK=128)
        return out, total
