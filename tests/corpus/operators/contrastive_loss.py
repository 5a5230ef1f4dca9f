"""A contrastive loss of a batch given as a dict: pairs of one label attract, and rows without a pair do not count."""

import torch
import torch.nn.functional as F


class Model(torch.nn.Module):
    def forward(self, batch, temperature=0.1):
        z = F.normalize(batch["z"], dim=1)
        itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
        scores = (z @ z.T / temperature).masked_fill(itself, float("-inf"))
        pairs = (batch["label"][:, None] == batch["label"]) & ~itself
        each = -scores.log_softmax(1).masked_fill(~pairs, 0.0).sum(1) / pairs.sum(1).clamp(min=1)
        kept = pairs.any(1)
        return {"loss": each[kept].sum() / kept.sum().clamp(min=1), "kept": kept}


def get_inputs():
    return {"z": torch.randn(26, 12), "label": torch.randint(0, 12, (26,))}


def get_init_inputs():
    return []
