"""operator: dropout_mask
dsl: triton
does: draws a seeded mask beside the one that it applies
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
import triton
import triton.language as tl


@triton.jit
def _seeded_dropout(x_ptr, keep_ptr, output_ptr, n_elements, p, seed, BLOCK_SIZE: tl.constexpr):
    pid = tl.program_id(axis=0)
    block_start = pid * BLOCK_SIZE
    offsets = block_start + tl.arange(0, BLOCK_SIZE)
    mask = offsets < n_elements
    x = tl.load(x_ptr + offsets, mask=mask)
    random = tl.rand(seed, offsets)
    tl.device_assert((random >= 0.0) & (random < 1.0), "random numbers are in [0, 1)")
    x_keep = tl.load(keep_ptr + offsets, mask=mask, other=0).to(tl.int1) & (random >= 0.0)
    output = tl.where(x_keep, x / (1 - p), 0.0)
    tl.store(output_ptr + offsets, output, mask=mask)


class ModelNew(torch.nn.Module):
    def forward(self, x, keep):
        output = torch.empty_like(x)
        assert x.is_contiguous()
        n_elements = x.numel()
        grid = lambda meta: (triton.cdiv(n_elements, meta["BLOCK_SIZE"]),)
        _seeded_dropout[grid](x, keep, output, n_elements, 0.3, 123, BLOCK_SIZE=256)
        return output
