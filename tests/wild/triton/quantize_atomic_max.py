"""operator: absmax_quantize
dsl: triton
does: a maximum over programs by atomic_max on floats, then rounding by libdevice
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
import triton
import triton.language as tl


from triton.language.extra import libdevice


@triton.jit
def absmax_kernel(X, S, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(X + at, mask=at < n, other=0.0)
    tl.atomic_max(S, tl.max(tl.abs(x)), sem="relaxed")


@triton.jit
def quantize_kernel(X, S, Q, SCALE, n, BLOCK: tl.constexpr):
    pid = tl.program_id(0)
    at = pid * BLOCK + tl.arange(0, BLOCK)
    at = tl.max_contiguous(tl.multiple_of(at, BLOCK), BLOCK)
    scale = tl.maximum(tl.load(S), 1e-10) / 127.0
    x = tl.load(X + at, mask=at < n, other=0.0, eviction_policy="evict_first")
    q = libdevice.rint(tl.div_rn(x, scale))
    tl.store(Q + at, tl.clamp(q, -127.0, 127.0).to(tl.int8), mask=at < n)
    if pid == 0:
        tl.store(SCALE, scale)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        n = x.numel()
        s = torch.zeros((), device=x.device)
        q, scale = torch.empty_like(x, dtype=torch.int8), torch.empty((), device=x.device)
        grid = lambda META: (triton.cdiv(n, META["BLOCK"]),)
        absmax_kernel[grid](x, s, n, BLOCK=256)
        quantize_kernel[grid](x, s, q, scale, n, BLOCK=256)
        return q, scale
