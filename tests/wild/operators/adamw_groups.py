"""One step of AdamW on several tensors, in place; gives nothing back."""

import torch

SHAPES = [(33,), (8, 9), (2, 3, 50)]


class Model(torch.nn.Module):
    def __init__(self, lr=1e-2, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.1):
        super().__init__()
        self.hyper = dict(lr=lr, eps=eps, weight_decay=weight_decay)
        self.betas = betas

    @torch.no_grad()
    def forward(self, params, grads, state, step):
        b1, b2 = self.betas
        for i, (p, g) in enumerate(zip(params, grads)):
            m, v = state["exp_avg"][i], state["exp_avg_sq"][i]
            p.mul_(1 - self.hyper["lr"] * self.hyper["weight_decay"])
            m.lerp_(g, 1 - b1)
            v.mul_(b2).addcmul_(g, g, value=1 - b2)
            denom = (v / (1 - b2**step)).sqrt().add_(self.hyper["eps"])
            p.addcdiv_(m, denom, value=-self.hyper["lr"] / (1 - b1**step))


def get_inputs():
    params, grads, m = ([torch.randn(s) for s in SHAPES] for _ in range(3))
    return [params, grads, {"exp_avg": m, "exp_avg_sq": [torch.rand(s) for s in SHAPES]}, 3]


def get_init_inputs():
    return {"lr": 0.02}
