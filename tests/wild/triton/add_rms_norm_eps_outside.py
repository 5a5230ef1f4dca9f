"""operator: add_rms_norm
dsl: triton
does: adds epsilon outside the root
cpu: INCORRECT_NUMERICAL
nvidia_h200: INCORRECT_NUMERICAL
device: INCORRECT_NUMERICAL
message: elements are wrong
"""

import torch
import triton
import triton.language as tl


@triton.jit
def _rms_norm(X, R, W, Y, S, stride, N, eps, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    cols = tl.arange(0, BLOCK)
    mask = cols < N
    s = tl.load(X + row * stride + cols, mask=mask, other=0.0) + tl.load(R + row * stride + cols, mask=mask, other=0.0)
    tl.store(S + row * stride + cols, s, mask=mask)
    rms = tl.sqrt(tl.sum(s * s, axis=0) / N) + eps
    tl.store(Y + row * stride + cols, s / rms * tl.load(W + cols, mask=mask), mask=mask)


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(width))

    def forward(self, x, residual):
        x, residual = x.contiguous(), residual.contiguous()
        y, s = torch.empty_like(x), torch.empty_like(x)
        M, N = x.shape
        _rms_norm[(M,)](x, residual, self.weight, y, s, x.stride(0), N, 1e-5, BLOCK=triton.next_power_of_2(N))
        return y, s
