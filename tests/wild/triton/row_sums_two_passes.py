"""operator: row_sums
dsl: triton
does: is an operator of its own, registered for CUDA, with a fake
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
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
        acc += tl.load(x_ptr + row * n + cols, mask=cols < n, other=0.0)
    total = tl.sum(acc)
    tl.store(out_ptr + row, total)
    tl.atomic_add(total_ptr, total)


lib = torch.library.Library("wild_row_sums", "FRAGMENT")


def direct_register_custom_op(op_name, op_func, fake_impl, dispatch_key="CUDA"):
    lib.define(op_name + torch.library.infer_schema(op_func, mutates_args=()))
    lib.impl(op_name, op_func, dispatch_key=dispatch_key)
    lib._register_fake(op_name, fake_impl)


def row_sums(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    out = torch.empty(x.shape[0], device=x.device, dtype=x.dtype)
    total = torch.zeros((), device=x.device, dtype=x.dtype)
    rows_kernel[(x.shape[0],)](x, out, total, x.shape[1], BLOCK=128)
    return out, total


def row_sums_fake(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return x.new_empty(x.shape[0]), x.new_empty(())


direct_register_custom_op("row_sums", row_sums, row_sums_fake)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        return torch.ops.wild_row_sums.row_sums(x.contiguous())
