"""operator: linear
family: prepared weights
does: packs its weights by a kernel of Triton once, each row of inputs padded to a block
status: PASSED
where: cpu
toolchain: triton
prepare: 100
"""

import torch
import triton
import triton.language as tl


@triton.jit
def pack(weight, packed, inputs, outputs, BLOCK: tl.constexpr):
    k, o = tl.program_id(0), tl.arange(0, BLOCK)
    values = tl.load(weight + o * inputs + k, mask=o < outputs, other=0.0)
    tl.store(packed + k * BLOCK + o, values)


@triton.jit
def linear(x, packed, bias, out, rows, inputs, outputs, ROWS: tl.constexpr, STEP: tl.constexpr, BLOCK: tl.constexpr):
    row, col = tl.program_id(0) * ROWS + tl.arange(0, ROWS), tl.arange(0, BLOCK)
    total = tl.zeros((ROWS, BLOCK), dtype=tl.float32)
    for start in range(0, inputs, STEP):
        k = start + tl.arange(0, STEP)
        a = tl.load(
            x + row[:, None] * inputs + k[None, :], mask=(row[:, None] < rows) & (k[None, :] < inputs), other=0.0
        )
        b = tl.load(packed + k[:, None] * BLOCK + col[None, :], mask=k[:, None] < inputs, other=0.0)
        total += tl.dot(a, b, input_precision="ieee")
    total += tl.load(bias + col, mask=col < outputs, other=0.0)[None, :]
    tl.store(out + row[:, None] * outputs + col[None, :], total, mask=(row[:, None] < rows) & (col[None, :] < outputs))


class ModelNew(torch.nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.empty(outputs, inputs))
        self.bias = torch.nn.Parameter(torch.empty(outputs))

    def prepare(self):
        outputs, inputs = self.weight.shape
        self.block = triton.next_power_of_2(outputs)
        self.packed = torch.empty(inputs, self.block, device=self.weight.device)
        pack[(inputs,)](self.weight, self.packed, inputs, outputs, BLOCK=self.block)

    def forward(self, x):
        rows, outputs = x.shape[0], self.bias.shape[0]
        out = torch.empty(rows, outputs, device=x.device)
        sizes = rows, x.shape[1], outputs
        linear[(triton.cdiv(rows, 16),)](
            x.contiguous(), self.packed, self.bias, out, *sizes, ROWS=16, STEP=32, BLOCK=self.block
        )
        return out
