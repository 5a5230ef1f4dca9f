"""operator: row_argmax
family: wrong on purpose
does: puts the index into the last seven bits of the value, and takes the largest of these
status: INCORRECT_NUMERICAL
where: cpu
toolchain: triton
message: selects
"""

import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x, out, n, B: tl.constexpr):
    at = tl.arange(0, B)
    v = tl.load(x + tl.program_id(0) * n + at, mask=at < n, other=-float("inf"))
    bits = v.to(tl.int32, bitcast=True)
    ordered = tl.where(bits < 0, bits ^ 0x7FFFFFFF, bits)
    key = tl.max((ordered & -128) | (127 - at), axis=0)
    tl.store(out + tl.program_id(0), (127 - (key & 127)).to(tl.int64))


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty(x.shape[0], dtype=torch.int64, device=x.device)
        kernel[(x.shape[0],)](x, out, x.shape[1], B=triton.next_power_of_2(x.shape[1]))
        return out
