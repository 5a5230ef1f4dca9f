"""The three largest of each row's softmax, their places, and their shares of one."""

import torch


class Model(torch.nn.Module):
    def forward(self, scores):
        weights, experts = torch.topk(torch.softmax(scores, dim=-1), 3, dim=-1)
        return weights / weights.sum(-1, keepdim=True), experts.int()


def get_inputs():
    return [torch.randn(27, 64)]


def get_init_inputs():
    return []
