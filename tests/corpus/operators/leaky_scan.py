"""h[t] = a[t] h[t-1] + x[t] along rows, with decays between zero and one."""

import torch


class Model(torch.nn.Module):
    def forward(self, decay, x):
        h, out = torch.zeros_like(x[:, 0]), []
        for t in range(x.shape[1]):
            h = decay[:, t] * h + x[:, t]
            out.append(h)
        return torch.stack(out, 1)


def get_inputs():
    return [torch.rand(8, 130), torch.randn(8, 130)]


def get_init_inputs():
    return []
