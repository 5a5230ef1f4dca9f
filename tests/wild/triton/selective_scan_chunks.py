"""operator: selective_scan
dsl: triton
does: scans chunks with tl.associative_scan over pairs and carries the last state from chunk to chunk
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
import triton
import triton.language as tl


@triton.jit
def combine(a_left, b_left, a_right, b_right):
    return a_left * a_right, b_left * a_right + b_right


@triton.jit
def softplus(x):
    return tl.where(x <= 20.0, tl.math.log(1.0 + tl.math.exp(tl.minimum(x, 20.0))), x)


@triton.jit
def scan_kernel(U, DELTA, A, B, C, D, Y, dim, length, N: tl.constexpr, CHUNK: tl.constexpr):
    batch, channel = tl.program_id(0), tl.program_id(1)
    n = tl.arange(0, N)
    a = tl.load(A + channel * N + n)
    skip = tl.load(D + channel)
    h = tl.zeros([N], dtype=tl.float32)
    row = (batch * dim + channel) * length
    for first in range(0, length, CHUNK):
        t = first + tl.arange(0, CHUNK)
        mask = t < length
        u = tl.load(U + row + t, mask=mask, other=0.0)
        step = tl.where(mask, softplus(tl.load(DELTA + row + t, mask=mask, other=0.0)), 0.0)
        at = (batch * N + n[None, :]) * length + t[:, None]
        b = tl.load(B + at, mask=mask[:, None], other=0.0)
        c = tl.load(C + at, mask=mask[:, None], other=0.0)
        decay = tl.exp(step[:, None] * a[None, :])
        added = (step * u)[:, None] * b
        decayed, states = tl.associative_scan((decay, added), 0, combine)
        states += decayed * h[None, :]
        tl.store(Y + row + t, tl.sum(states * c, axis=1) + u * skip, mask=mask)
        last = tl.arange(0, CHUNK)[:, None] == CHUNK - 1
        h = tl.sum(tl.where(last, states, 0.0), axis=0)


class ModelNew(torch.nn.Module):
    def __init__(self, channels, states):
        super().__init__()
        self.log_a = torch.nn.Parameter(torch.zeros(channels, states))
        self.skip = torch.nn.Parameter(torch.ones(channels))

    def forward(self, u, delta, b, c):
        batch, dim, length = u.shape
        a = -torch.exp(self.log_a)
        y = torch.empty_like(u)
        scan_kernel[(batch, dim)](
            u.contiguous(),
            delta.contiguous(),
            a,
            b.contiguous(),
            c.contiguous(),
            self.skip,
            y,
            dim,
            length,
            N=a.shape[1],
            CHUNK=16,
            num_warps=1,
        )
        return y
