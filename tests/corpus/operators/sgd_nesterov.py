"""SGD with Nesterov momentum and weight decay over a list of parameters, in place; nothing is returned."""

import torch


class Model(torch.nn.Module):
    def __init__(self, momentum, decay):
        super().__init__()
        self.momentum, self.decay = momentum, decay

    def forward(self, params, grads, velocities, lr):
        for p, g, v in zip(params, grads, velocities):
            g = g + self.decay * p
            v.mul_(self.momentum).add_(g)
            p.sub_(lr * (g + self.momentum * v))


def get_inputs():
    sizes = [(64, 33), (33,), (7, 5, 3)]
    return [*([torch.randn(*size) for size in sizes] for _ in range(3)), 0.05]


def get_init_inputs():
    return {"momentum": 0.9, "decay": 0.01}
