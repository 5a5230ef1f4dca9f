"""Tasks that a trivial answer would pass are named; all others are shown to refuse every trivial answer."""

import pytest

from akgflow.verdict import LOOSE_BOUND
from akgflow.verification.reference.reference import Reference

OPERATOR = """
import torch
import torch.nn as nn
import torch.nn.functional as F

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.n = nn.LayerNorm(256)

    def forward(self, x):
        return {body}

def get_inputs():
    return [{inputs}]

def get_init_inputs():
    return []
"""

TASKS = {
    "softmax over a long row": ("torch.softmax(x, -1)", "torch.rand(2, 100_000)", ()),
    "layer norm": ("self.n(x)", "torch.rand(64, 256)", ()),
    "relu of what is negative": ("torch.relu(x)", "-torch.rand(32, 32) - 0.1", ()),
    "saturated": ("F.hardtanh(x, -1, 1)", "torch.rand(32, 32) + 2", ()),
    "mean of many": ("x.mean()", "torch.rand(512, 512)", ()),
    "maximum less its mean": (
        "F.gelu((lambda y: y - y.mean(1, keepdim=True))(x.amax(1, keepdim=True)))",
        "torch.rand(32, 32)",
        ("zeros",),
    ),
    "identity": ("x.clone()", "torch.rand(32, 32)", ("input 0 as it is",)),
    "dropout that does nothing": ("F.dropout(x, training=False).clone()", "torch.rand(4, 4)", ("input 0 as it is",)),
    "constant": ("torch.sigmoid(x * 0 + 50)", "torch.rand(32, 32)", ("ones", "a constant")),
    "one class": ("torch.softmax(x.sum(1, keepdim=True), 1)", "torch.rand(32, 32)", ("ones",)),
    "never less": ("(x * x >= 0)", "torch.rand(32, 32)", ("ones",)),
    "the second of two": ("(x * 2, torch.zeros_like(x))", "torch.rand(32, 32)", ("output 1",)),
}


@pytest.mark.parametrize("name", TASKS)
def test_a_weak_task_is_named(name):
    body, inputs, words = TASKS[name]
    reference = Reference(OPERATOR.format(body=body, inputs=inputs), "operator.py", {}, None, "cpu")
    reference.prepare()
    assert bool(reference.weak) == bool(words)
    for word in words:
        assert word in reference.warnings[0]


LOOSE = {
    "mean of many": ("(x * x).mean()", "torch.randn(512, 512)", True),
    "mean of few": ("(x * x).mean(-1)", "torch.randn(64, 16)", False),
    "copy": ("x.flip(0)", "torch.rand(32, 32)", False),
}


@pytest.mark.parametrize("name", LOOSE)
def test_a_bound_far_above_the_framework_s_error_is_named(name):
    body, inputs, loose = LOOSE[name]
    reference = Reference(OPERATOR.format(body=body, inputs=inputs), "operator.py", {}, None, "cpu")
    reference.prepare()
    assert any(LOOSE_BOUND in one for one in reference.warnings) == loose
