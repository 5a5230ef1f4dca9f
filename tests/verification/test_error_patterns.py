"""What is said about wrong outputs: typical mistakes, each with the words that help to repair it."""

import pytest
import torch
import torch.nn.functional as F

from akgflow.verification.reference.reference import Reference
from akgflow.verification.reference.tolerance import compare

OPERATOR = """
import torch
import torch.nn as nn
import torch.nn.functional as F

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.n = {parts}

    def forward(self, {args}):
        return {body}

def get_inputs():
    return [{inputs}]

def get_init_inputs():
    return []
"""
OPERATORS = {
    "product": ("a @ b", "a, b", "torch.rand(65, 200), torch.rand(200, 33)"),
    "square product": ("a @ b", "a, b", "torch.rand(64, 64), torch.rand(64, 64)"),
    "product and relu": ("torch.relu(a @ b)", "a, b", "torch.rand(65, 200), torch.rand(200, 33)"),
    "batches": ("a @ b", "a, b", "torch.rand(5, 16, 20), torch.rand(5, 20, 8)"),
    "softmax": ("torch.softmax(x, -1)", "x", "torch.rand(33, 200)"),
    "layer norm": ("self.n(x)", "x", "torch.randn(33, 200)"),
    "mean": ("x.mean(-1)", "x", "torch.rand(33, 200)"),
    "cumulative": ("torch.cumsum(x, -1)", "x", "torch.rand(33, 200)"),
    "twice": ("x * 2", "x", "torch.randn(333, 64)"),
    "largest": ("x.amax(-1)", "x", "torch.rand(33, 20)"),
    "place of the largest": ("torch.argmax(x, -1)", "x", "torch.rand(33, 200)"),
    "gelu": ("F.gelu(x)", "x", "torch.rand(33, 200)"),
}
PARTS = {"layer norm": "nn.LayerNorm(200)"}


def written(x, where, what):
    x = x.clone()
    x[where] = what
    return x


def normed(x, state, eps=1e-5, shift=True):
    var, mean = torch.var_mean(x, -1, correction=0, keepdim=True)
    y = (x - mean) / torch.sqrt(var + eps) * state["n.weight"]
    return y + state["n.bias"] if shift else y


MISTAKES = {
    "exponential without its maximum": (
        "softmax",
        lambda x: written(torch.softmax(x, -1), (slice(None), 7), float("inf")),
        "33 elements are infinite, all of them in dimension 1: index 7 of 200 (an exponential without its maximum",
    ),
    "last row": ("product", lambda a, b: written(a @ b, 64, 0.0), "index 64 of 65 (the tail), and are zero"),
    "last columns": ("product", lambda a, b: written(a @ b, (..., slice(31, 33)), 7.0), "31 to 32 of 33 (the tail)"),
    "first batch for all": ("batches", lambda a, b: a @ b[:1], "dimension 0: 1 to 4 of 5"),
    "lane lost": ("twice", lambda x: written(x * 2, (..., slice(7, None, 8)), 0.0), "every 8th of 64, from 7 on"),
    "part of a sum": ("product", lambda a, b: a[:, :192] @ b[:192], "is a part of a sum left out"),
    "transposed": ("square product", lambda a, b: (a @ b).T, "transposed in the last two dimensions"),
    "blocks exchanged": ("square product", lambda a, b: (a @ b).roll(32, 0), "right values are there"),
    "relu forgotten": ("product and relu", lambda a, b: a @ b, "should be zero and are negative"),
    "bias forgotten": ("layer norm", lambda x, s: normed(x, s, shift=False), "same all along dimension 0 (a bias"),
    "another constant": ("layer norm", lambda x, s: normed(x, s, eps=1e-3), "a lower precision or another constant"),
    "not normalised": ("softmax", lambda x: x.exp(), "same factor all along dimension 1"),
    "divided wrongly": ("mean", lambda x: x.sum(-1) / 199, "every value is 1.005 times"),
    "off by one": ("cumulative", lambda x: x.cumsum(-1) - x, "shifted by one along dimension 1"),
    "blocks alone": ("cumulative", lambda x: torch.cat([p.cumsum(-1) for p in x.split(128, 1)], 1), "128 to 199"),
    "one row for all": ("twice", lambda x: (x * 2)[:1].expand(333, 64), "values do not change along dimension 0"),
    "a few": ("twice", lambda x: written(x * 2, (5, 3), 1e30), "they are at [5, 3]"),
    "maximum from zero": ("largest", lambda x: x.amax(-1).clamp(min=0), "everything is zero"),
    "another place": ("place of the largest", lambda x: torch.argmin(x, -1), "selects"),
    "an approximation": ("gelu", lambda x: F.gelu(x, approximate="tanh"), "another constant inside"),
    "half precision": ("product", lambda a, b: (a.half() @ b.half()).float(), "rounded to float16 or TF32 on its way"),
}  # fmt: skip


@pytest.fixture(scope="module")
def references():
    made = {}
    for name, (body, args, inputs) in OPERATORS.items():
        text = OPERATOR.format(body=body, args=args, inputs=inputs, parts=PARTS.get(name, "None"))
        made[name] = Reference(text, "operator.py", {}, None, "cpu")
        made[name].prepare()
    return made


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named(references, name):
    operator, wrong, words = MISTAKES[name]
    reference = references[operator]
    details = []
    for draw in reference.draws:
        expected = draw.expected[0]
        got = wrong(*draw.inputs, *([reference.state] if operator in PARTS else []))
        details.append(compare(got.to(expected.framework.dtype).contiguous(), expected, 0, 1.0).detail)
    assert any(words in detail for detail in details), details


def test_an_answer_that_has_few_digits_by_itself_is_not_called_rounded():
    """Means of values of few digits are exact, and those in float64 of a sound kernel are so but for its roundings."""
    text = OPERATOR.format(body="torch.var_mean(x, -1)[1]", args="x", inputs="torch.randn(512, 1024)", parts="None")
    for _ in range(3):
        reference = Reference(text, "operator.py", {}, None, "cpu")
        reference.prepare()
        for draw in reference.draws:
            expected, exact = draw.expected[0], draw.inputs[0].double().mean(-1).float()
            assert compare(exact, expected, 0, 1.0).detail == "", draw.distribution
            if draw.distribution == "operator":
                found = compare(exact.bfloat16().float(), expected, 0, 1.0)
                assert found.wrong and "rounded to bfloat16 on its way" in found.detail
