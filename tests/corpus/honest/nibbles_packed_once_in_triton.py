"""operator: int4_linear
family: prepared weights
does: the same in Triton
status: PASSED
where: cpu
toolchain: triton
prepare: 100
"""

import torch
import triton
import triton.language as tl


@triton.jit
def kernel(
    x, packed, scales, offsets, out, rows, inputs, outputs, GROUP: tl.constexpr, ROWS: tl.constexpr, OUT: tl.constexpr
):
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    col = tl.program_id(1) * OUT + tl.arange(0, OUT)
    half = inputs // 2
    total = tl.zeros((ROWS, OUT), dtype=tl.float32)
    for start in range(0, inputs, GROUP):
        k = start + tl.arange(0, GROUP)
        inside = (k[:, None] < inputs) & (col[None, :] < outputs)
        byte = tl.load(packed + (k % half)[:, None] * outputs + col[None, :], mask=inside, other=0)
        number = tl.where(k[:, None] < half, byte & 15, byte >> 4).to(tl.float32)
        at = (start // GROUP) * outputs + col
        scale = tl.load(scales + at, mask=col < outputs, other=0.0)
        weight = number * scale[None, :] - tl.load(offsets + at, mask=col < outputs, other=0.0)[None, :]
        known = (row[:, None] < rows) & (k[None, :] < inputs)
        a = tl.load(x + row[:, None] * inputs + k[None, :], mask=known, other=0.0)
        total += tl.dot(a, weight, input_precision="ieee")
    tl.store(out + row[:, None] * outputs + col[None, :], total, mask=(row[:, None] < rows) & (col[None, :] < outputs))


class ModelNew(torch.nn.Module):
    def __init__(self, outputs, inputs, group):
        super().__init__()
        self.group = group
        self.register_buffer("packed", torch.empty(outputs, inputs // 2, dtype=torch.uint8))
        self.register_buffer("scales", torch.empty(outputs, inputs // group))
        self.register_buffer("zeros", torch.empty(outputs, inputs // group, dtype=torch.uint8))

    def prepare(self):
        numbers = torch.stack([self.packed & 15, self.packed >> 4], dim=-1).flatten(1).t()
        low, high = numbers.chunk(2)
        self.numbers = (low | (high << 4)).contiguous()
        self.turned = self.scales.t().contiguous()
        self.offsets = (self.scales * self.zeros).t().contiguous()

    def forward(self, x):
        rows, outputs = x.shape[0], self.packed.shape[0]
        out = torch.empty(rows, outputs, device=x.device)
        grid = triton.cdiv(rows, 16), triton.cdiv(outputs, 16)
        given = x.contiguous(), self.numbers, self.turned, self.offsets, out
        kernel[grid](*given, rows, x.shape[1], outputs, GROUP=self.group, ROWS=16, OUT=16)
        return out
