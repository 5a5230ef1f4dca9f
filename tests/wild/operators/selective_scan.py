"""A state space whose step and projections depend on the input."""

import torch


class Model(torch.nn.Module):
    def __init__(self, channels, states):
        super().__init__()
        self.log_a = torch.nn.Parameter(torch.zeros(channels, states))
        self.skip = torch.nn.Parameter(torch.ones(channels))

    def forward(self, u, delta, b, c):
        a = -torch.exp(self.log_a)
        step = torch.nn.functional.softplus(delta)
        state, out = torch.zeros_like(a)[None] + 0 * u[:, :, :1], []
        for t in range(u.shape[2]):
            decay = torch.exp(step[:, :, t, None] * a)
            state = decay * state + (step[:, :, t] * u[:, :, t])[:, :, None] * b[:, None, :, t]
            out.append((state * c[:, None, :, t]).sum(-1))
        return torch.stack(out, -1) + u * self.skip[:, None]


def get_inputs():
    return [torch.randn(2, 5, 45), torch.randn(2, 5, 45), torch.randn(2, 8, 45), torch.randn(2, 8, 45)]


def get_init_inputs():
    return [5, 8]
