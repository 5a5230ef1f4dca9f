"""operator: adamw_groups
dsl: triton
does: tuples of tensors and sizes as arguments of one launch, a helper that takes a function, updates in place
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import typing

import torch
import triton
import triton.language as tl


class Hyper(typing.NamedTuple):
    lr: float
    beta1: float
    beta2: float
    eps: float
    decay: float


@triton.jit
def lerp(a, b, w):
    return a + w * (b - a)


@triton.jit
def update(p, g, m, v, hp, c1, c2, mix: tl.constexpr):
    p = p * (1.0 - hp.lr * hp.decay)
    m = mix(m, g, 1.0 - hp.beta1)
    v = v * hp.beta2 + (1.0 - hp.beta2) * g * g
    denom = tl.sqrt_rn(v / c2) + hp.eps
    return p - hp.lr / c1 * (m / denom), m, v


@triton.jit
def multi_adamw(ps, gs, ms, vs, sizes, hp, c1, c2, BLOCK: tl.constexpr):
    pid = tl.program_id(0)
    first = 0
    for i in tl.static_range(len(sizes)):
        blocks = tl.cdiv(sizes[i], BLOCK)
        if (pid >= first) & (pid < first + blocks):
            at = (pid - first) * BLOCK + tl.arange(0, BLOCK)
            mask = at < sizes[i]
            p = tl.load(ps[i] + at, mask=mask)
            g = tl.load(gs[i] + at, mask=mask)
            m = tl.load(ms[i] + at, mask=mask)
            v = tl.load(vs[i] + at, mask=mask, other=1.0)
            p, m, v = update(p, g, m, v, hp, c1, c2, lerp)
            tl.store(ps[i] + at, p, mask=mask)
            tl.store(ms[i] + at, m, mask=mask)
            tl.store(vs[i] + at, v, mask=mask)
        first += blocks


class ModelNew(torch.nn.Module):
    def __init__(self, lr=1e-2, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.1):
        super().__init__()
        self.hyper = Hyper(lr, *betas, eps, weight_decay)

    @torch.no_grad()
    def forward(self, params, grads, state, step):
        BLOCK = 64
        sizes = tuple(p.numel() for p in params)
        grid = (sum(triton.cdiv(n, BLOCK) for n in sizes),)
        multi_adamw[grid](
            tuple(params), tuple(grads), tuple(state["exp_avg"]), tuple(state["exp_avg_sq"]), sizes, self.hyper,
            1.0 - self.hyper.beta1**step, 1.0 - self.hyper.beta2**step, BLOCK=BLOCK,
        )  # fmt: skip
