"""A word's likeness to all words: one weight under two names."""

import torch


class Model(torch.nn.Module):
    def __init__(self, words, width):
        super().__init__()
        self.embedding = torch.nn.Embedding(words, width)
        self.out = torch.nn.Linear(width, words, bias=False)
        self.out.weight = self.embedding.weight

    def forward(self, tokens):
        return self.out(self.embedding(tokens))


def get_inputs():
    return [torch.randint(0, 60, (33,))]


def get_init_inputs():
    return [60, 24]
