"""Cross entropy of each token with scores that are scaled and capped, as Gemma has it; with the log of the sum."""

import torch


class Model(torch.nn.Module):
    def forward(self, logits, labels, logit_softcapping=0, logit_scaling=0):
        shifted = logits.float()
        if logit_scaling:
            shifted = logit_scaling * shifted
        if logit_softcapping:
            shifted = logit_softcapping * torch.tanh(shifted / logit_softcapping)
        lse = torch.logsumexp(shifted, -1)
        picked = shifted.gather(-1, labels.clamp(min=0)[:, None])[:, 0]
        return {
            "losses": torch.where(labels == -100, torch.zeros_like(lse), lse - picked),
            "stats": {"lse": lse, "z": None},
        }


def get_inputs():
    labels = torch.randint(0, 515, (19,))
    labels[3] = -100
    return [[torch.randn(19, 515) * 4, labels], {"logit_softcapping": 30.0, "logit_scaling": 0.5}]


def get_init_inputs():
    return []
