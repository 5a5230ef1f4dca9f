"""Causal attention over sequences that lie behind each other, none of which sees another one."""

import torch


class Model(torch.nn.Module):
    def forward(self, q, k, v, starts):
        bounds, out = [*starts.tolist(), len(q)], torch.zeros_like(q)
        for start, end in zip(bounds, bounds[1:]):
            scores = q[start:end] @ k[start:end].T * q.shape[1] ** -0.5
            hidden = torch.ones_like(scores, dtype=torch.bool).triu(1)
            out[start:end] = scores.masked_fill(hidden, float("-inf")).softmax(-1) @ v[start:end]
        return out


count, width = 60, 16


def get_inputs():
    starts = torch.cat([torch.zeros(1, dtype=torch.int64), torch.randint(1, count, (5,)).sort().values])
    return [*(torch.randn(count, width) for _ in range(3)), starts]


def get_init_inputs():
    return []
