"""A step of the Lion optimizer, called by keywords; nothing is returned."""

import torch


class Model(torch.nn.Module):
    def forward(self, *, param, grad, average, lr=1e-4, betas=(0.9, 0.99), decay=0.0):
        update = (betas[0] * average + (1 - betas[0]) * grad).sign()
        param.mul_(1 - lr * decay).sub_(lr * update)
        average.mul_(betas[1]).add_(grad, alpha=1 - betas[1])


def get_inputs():
    grad, average, param = torch.randn(1003), torch.randn(1003), torch.randn(1003)
    return {"grad": grad, "param": param, "average": average, "lr": 0.1, "decay": 0.02}


def get_init_inputs():
    return []
