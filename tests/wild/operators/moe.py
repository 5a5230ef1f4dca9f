"""Each token goes to one expert's matrix, named by a routing table."""

import torch


class Model(torch.nn.Module):
    def forward(self, x, w, expert):
        return torch.stack([x[i] @ w[expert[i]] for i in range(x.shape[0])])


def get_inputs():
    return [torch.randn(50, 32), torch.randn(4, 32, 48), torch.randint(0, 4, (50,))]


def get_init_inputs():
    return []
