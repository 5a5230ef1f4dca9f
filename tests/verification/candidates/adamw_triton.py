"""One step of AdamW in place: each element of the parameter and of both moments is read and written once."""

import torch
import triton
import triton.language as tl


@triton.jit
def step_kernel(p, g, m, v, n, rate, beta1, beta2, eps, decay, first, second, BLOCK: tl.constexpr):
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < n
    grad = tl.load(g + at, mask=inside, other=0.0).to(tl.float32)
    value = tl.load(p + at, mask=inside, other=0.0).to(tl.float32) * (1 - rate * decay)
    mean = tl.load(m + at, mask=inside, other=0.0).to(tl.float32)
    mean += (1 - beta1) * (grad - mean)
    square = tl.load(v + at, mask=inside, other=0.0).to(tl.float32) * beta2 + (1 - beta2) * grad * grad
    value -= rate / first * mean / (tl.sqrt(square / second) + eps)
    tl.store(p + at, value, mask=inside)
    tl.store(m + at, mean, mask=inside)
    tl.store(v + at, square, mask=inside)


class ModelNew(torch.nn.Module):
    def __init__(self, rate=1e-2, betas=(0.9, 0.99), eps=1e-8, decay=0.1):
        super().__init__()
        self.rate, self.betas, self.eps, self.decay = rate, betas, eps, decay

    @torch.no_grad()
    def forward(self, p, g, m, v, step):
        assert all(one.is_contiguous() for one in (p, m, v)), "contiguous parameters and moments only"
        n, (beta1, beta2) = p.numel(), self.betas
        step_kernel[(triton.cdiv(n, 1024),)](
            p, g.contiguous(), m, v, n, self.rate, beta1, beta2, self.eps, self.decay,
            1 - beta1**step, 1 - beta2**step, BLOCK=1024,
        )  # fmt: skip
