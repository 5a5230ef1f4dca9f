"""Which boxes are kept by greedy suppression: those that overlap a kept one of a higher or an equal earlier score go."""

import torch


class Model(torch.nn.Module):
    def __init__(self, threshold: float = 0.5):
        super().__init__()
        self.threshold = threshold

    def forward(self, boxes, scores):
        order = torch.argsort(scores, descending=True, stable=True)
        b = boxes[order]
        area = (b[:, 2] - b[:, 0]).clamp(min=0) * (b[:, 3] - b[:, 1]).clamp(min=0)
        lo = torch.maximum(b[:, None, :2], b[None, :, :2])
        hi = torch.minimum(b[:, None, 2:], b[None, :, 2:])
        inter = (hi - lo).clamp(min=0).prod(-1)
        over = inter > self.threshold * (area[:, None] + area[None] - inter)
        keep = torch.ones(b.shape[0], dtype=torch.bool)
        for i in range(b.shape[0]):
            if keep[i]:
                keep[i + 1 :] &= ~over[i, i + 1 :]
        out = torch.zeros_like(keep)
        out[order] = keep
        return out


def get_inputs(n=70):
    corner = torch.rand(n, 2) * 20
    size = torch.rand(n, 2) * 8 + 1
    return [torch.cat([corner, corner + size], 1), torch.rand(n)]


def get_init_inputs():
    return []
