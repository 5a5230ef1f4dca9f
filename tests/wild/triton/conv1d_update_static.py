"""operator: conv1d_update
dsl: triton
does: moves a state in place by a static loop over its width, columns of weights in a tuple
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
import triton
import triton.language as tl


@triton.jit
def update(X, STATE, W, B, Y, dim, WIDTH: tl.constexpr, SILU: tl.constexpr, BLOCK: tl.constexpr):
    batch = tl.program_id(0)
    c = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    mask = c < dim
    state = STATE + (batch.to(tl.int64) * dim + c) * WIDTH
    x = tl.load(X + batch * dim + c, mask=mask, other=0.0)
    acc = tl.load(B + c, mask=mask, other=0.0).to(tl.float32)
    for j in tl.static_range(WIDTH):
        if j < WIDTH - 1:
            value = tl.load(state + j + 1, mask=mask, other=0.0)
        else:
            value = x
        tl.store(state + j, value, mask=mask)
        acc += value * tl.load(W + c * WIDTH + j, mask=mask, other=0.0)
    if SILU:
        acc = acc / (1 + tl.exp(-acc))
    tl.store(Y + batch * dim + c, acc, mask=mask)


class ModelNew(torch.nn.Module):
    def __init__(self, channels, width):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(channels, width))
        self.bias = torch.nn.Parameter(torch.zeros(channels))

    def forward(self, x, state):
        x, state = x.contiguous(), state.clone()
        batch, dim = x.shape
        out = torch.empty_like(x)
        grid = lambda META: (batch, triton.cdiv(dim, META["BLOCK"]))
        update[grid](x, state, self.weight, self.bias, out, dim, WIDTH=self.weight.shape[1], SILU=True, BLOCK=64)
        return out, state
