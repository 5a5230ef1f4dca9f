"""operator: fp8_scale
dsl: triton
does: rounds scaled rows to float8 and multiplies them back
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
import triton
import triton.language as tl


@triton.jit
def _per_token_quant(x_ptr, q_ptr, s_ptr, stride, n, eps, fp8_max, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    cols = tl.arange(0, BLOCK)
    mask = cols < n
    x = tl.load(x_ptr + row * stride + cols, mask=mask, other=0.0).to(tl.float32)
    absmax = tl.maximum(tl.max(tl.abs(x)), eps)
    scale = absmax / fp8_max
    q = tl.clamp(x / scale, -fp8_max, fp8_max).to(q_ptr.dtype.element_ty)
    tl.store(q_ptr + row * n + cols, q, mask=mask)
    tl.store(s_ptr + row, scale)


@triton.jit
def _dequant(q_ptr, s_ptr, o_ptr, n, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    cols = tl.arange(0, BLOCK)
    q = tl.load(q_ptr + row * n + cols, mask=cols < n, other=0.0)
    tl.store(o_ptr + row * n + cols, q.to(tl.float32) * tl.load(s_ptr + row), mask=cols < n)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        assert x.is_contiguous()
        finfo = torch.finfo(torch.float8_e4m3fn)
        rows, n = x.shape
        q = torch.empty(x.shape, device=x.device, dtype=torch.float8_e4m3fn)
        s = torch.empty(rows, device=x.device, dtype=torch.float32)
        o = torch.empty_like(x)
        BLOCK = triton.next_power_of_2(n)
        _per_token_quant[(rows,)](x, q, s, x.stride(0), n, 1e-12, finfo.max, BLOCK=BLOCK, num_warps=1)
        _dequant[(rows,)](q, s, o, n, BLOCK=BLOCK)
        return o, s
