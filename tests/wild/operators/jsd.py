"""The generalised Jensen-Shannon divergence of two log distributions, some rows ignored, and its gradient."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, beta: float = 0.5, ignore_index: int = -100):
        super().__init__()
        self._beta = beta
        self.ignore_index = ignore_index

    @property
    def beta(self):
        return self._beta

    def forward(self, log_q, log_p, label):
        kept = (label != self.ignore_index)[:, None]
        n = kept.sum().clamp(min=1)
        q, p = log_q.exp(), log_p.exp()
        m = self.beta * p + (1 - self.beta) * q
        log_m = m.log()
        loss = self.beta * p * (log_p - log_m) + (1 - self.beta) * q * (log_q - log_m)
        loss = torch.where(kept, loss, torch.zeros_like(loss)).sum() / n
        grad = torch.where(kept, (1 - self.beta) * q * (log_q - log_m), torch.zeros_like(q)) / n
        return loss, grad


def get_inputs(bt=24, v=300):
    label = torch.randint(0, v, (bt,))
    label[::5] = -100
    return [torch.randn(bt, v).log_softmax(-1), torch.randn(bt, v).log_softmax(-1), label]


def get_init_inputs():
    return [[], {"beta": 0.3}]
