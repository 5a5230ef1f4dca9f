"""Binary cross entropy of logits over the elements that a mask leaves, weighted by class; 0 where it leaves none."""

import torch
import torch.nn.functional as F


class Model(torch.nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.register_buffer("weight", torch.linspace(0.5, 2.0, classes))

    def forward(self, logits, target, mask, reduction="mean"):
        each = F.binary_cross_entropy_with_logits(logits, target, reduction="none") * self.weight
        each = each.masked_fill(~mask, 0.0)
        return each.sum() / mask.sum().clamp(min=1) if reduction == "mean" else each


def get_inputs():
    return [torch.randn(30, 21), torch.rand(30, 21), torch.rand(30, 21) > 0.4, "mean"]


def get_init_inputs():
    return [21]
