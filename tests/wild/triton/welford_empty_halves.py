"""operator: layernorm
dsl: triton
does: combines Welford's statistics with tl.reduce and divides by the weight of two empty halves
cpu: INCORRECT_NUMERICAL
nvidia_h200: INCORRECT_NUMERICAL
device: INCORRECT_NUMERICAL
"""

import torch
import triton
import triton.language as tl


@triton.jit
def welford_combine(mean_1, m2_1, weight_1, mean_2, m2_2, weight_2):
    delta = mean_2 - mean_1
    new_weight = weight_1 + weight_2
    w2_over_w = weight_2 / new_weight
    return mean_1 + delta * w2_over_w, m2_1 + m2_2 + delta * delta * weight_1 * w2_over_w, new_weight


@triton.jit
def layer_norm(X, Y, W, B, N, eps, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    cols = tl.arange(0, BLOCK)
    mask = cols < N
    x = tl.load(X + row * N + cols, mask=mask, other=0.0).to(tl.float32)
    zeros = tl.zeros([BLOCK], tl.float32)
    mean, m2, _ = tl.reduce((x, zeros, mask.to(tl.float32)), 0, welford_combine)
    y = (x - mean) * tl.rsqrt(m2 / N + eps)
    tl.store(Y + row * N + cols, y * tl.load(W + cols, mask=mask) + tl.load(B + cols, mask=mask), mask=mask)


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))

    def forward(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        M, N = x.shape
        layer_norm[(M,)](x, y, self.weight, self.bias, N, 1e-5, BLOCK=triton.next_power_of_2(N), num_warps=4)
        return y
