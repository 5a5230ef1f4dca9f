"""operator: scale_many
dsl: triton
does: takes many tensors by a table of their addresses
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
import triton
import triton.language as tl


@triton.jit
def scale_kernel(in_ptrs, out_ptrs, sizes, factor, BLOCK: tl.constexpr):
    tensor = tl.program_id(0)
    n = tl.load(sizes + tensor)
    src = tl.load(in_ptrs + tensor).to(tl.pointer_type(tl.float32))
    dst = tl.load(out_ptrs + tensor).to(tl.pointer_type(tl.float32))
    for start in range(tl.program_id(1) * BLOCK, n, tl.num_programs(1) * BLOCK):
        at = start + tl.arange(0, BLOCK)
        x = tl.load(src + at, mask=at < n, other=0.0)
        tl.store(dst + at, x * factor, mask=at < n)


class ModelNew(torch.nn.Module):
    def forward(self, *tensors):
        tensors = [t.contiguous() for t in tensors]
        outs = [torch.empty_like(t) for t in tensors]
        table = dict(dtype=torch.int64, device="cuda")
        in_ptrs = torch.tensor([t.data_ptr() for t in tensors], **table)
        out_ptrs = torch.tensor([t.data_ptr() for t in outs], **table)
        sizes = torch.tensor([t.numel() for t in tensors], dtype=torch.int32, device="cuda")
        scale_kernel[(len(tensors), 2)](in_ptrs, out_ptrs, sizes, 0.5, BLOCK=64)
        return outs
