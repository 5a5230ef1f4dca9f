"""Index outputs: what an index selects counts, not its number."""

import pytest
import torch

from akgflow.verification.reference.reference import Reference
from akgflow.verification.reference.tolerance import compare

OPERATOR = """
import torch
import torch.nn.functional as F

class Model(torch.nn.Module):
    def forward(self, x):
        return {body}

def get_inputs():
    return [torch.randn(2, 6, 8, 10)]

def get_init_inputs():
    return []
"""


def wrong(body, answer, dtype=None):
    """On how many of the draws the outputs of ``answer`` are refused, and the first sentence that says why."""
    reference = Reference(OPERATOR.format(body=body), "operator.py", {}, dtype, "cpu")
    reference.prepare()
    details = []
    for draw in reference.draws:
        got = answer(*draw.inputs)
        got = got if isinstance(got, tuple) else (got,)
        found = [compare(g, e, i, 1.0) for i, (g, e) in enumerate(zip(got, draw.expected, strict=True))]
        details += [one.detail for one in found if one.wrong][:1]
    return details


def last_of_equals(x, dim):
    return x.shape[dim] - 1 - x.flip(dim).argmax(dim)


def backwards(x, dim):
    """Like argsort, the last of equals first."""
    return x.shape[dim] - 1 - x.flip(dim).argsort(stable=True, dim=dim)


def pooled_backwards(x):
    values, index = torch.nn.functional.max_pool2d(x.flip(2, 3), 2, return_indices=True)
    return values.flip(2, 3), (x.shape[2] * x.shape[3] - 1 - index).flip(2, 3)


RIGHT = {
    "the last of equals": ("x.argmax(-1)", lambda x: last_of_equals(x, 3)),
    "the last of equals, by max": ("x.max(1)", lambda x: (x.amax(1), last_of_equals(x, 1))),
    "reshaped, cast and sliced": (
        "x.argmax(2).transpose(0, 1).int().reshape(-1, 4)[1:].contiguous()",
        lambda x: last_of_equals(x, 2).transpose(0, 1).reshape(-1, 4)[1:].int(),
    ),
    "of all elements": ("x.argmax()", lambda x: x.numel() - 1 - x.flatten().flip(0).argmax()),
    "the smallest": ("torch.argmin(x, 1, keepdim=True)", lambda x: last_of_equals(-x, 1).unsqueeze(1)),
    "top-k": (
        "torch.topk(x, 3, dim=-1)",
        lambda x: (x.sort(-1, descending=True)[0][..., :3], backwards(-x, -1)[..., :3]),
    ),
    "sort": ("x.sort(2)", lambda x: (x.sort(2)[0], backwards(x, 2))),
    "argsort": ("torch.argsort(x, 0)", lambda x: backwards(x, 0)),
    "k-th": ("torch.kthvalue(x, 2)[1]", lambda x: backwards(x, -1)[..., 1]),
    "of sums in another order": (
        "x.sum(-1).argmax(-1)",
        lambda x: x.flip(-1).cumsum(-1, dtype=torch.float32)[..., -1].argmax(-1),
    ),
    "pooling": ("F.max_pool2d(x, 2, return_indices=True)", lambda x: pooled_backwards(x)),
}


@pytest.mark.parametrize("name", RIGHT)
def test_another_index_of_the_same_value_is_right(name):
    body, answer = RIGHT[name]
    assert wrong(body, answer) == []


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_equal_values_are_frequent_in_narrow_types(dtype):
    assert wrong("x.argmax(-1)", lambda x: last_of_equals(x, 3), dtype) == []


WRONG = {
    "the second": ("x.argmax(-1)", lambda x: x.topk(2)[1][..., 1]),
    "one further": ("x.argmax(-1)", lambda x: x.argmax(-1) + 1),
    "negative": ("x.argmax(-1)", lambda x: x.argmax(-1) - 10),
    "zeros": ("x.argmax(-1)", lambda x: torch.zeros(x.shape[:-1], dtype=torch.int64)),
    "along another dimension": ("x.argmax(2)", lambda x: x.argmax(2).flip(0)),
    "k times the first": ("torch.topk(x, 3)", lambda x: (x.topk(3)[0], x.topk(1)[1].expand(2, 6, 8, 3))),
    "out of order": ("torch.topk(x, 3)", lambda x: (x.topk(3)[0], x.topk(3)[1].flip(-1))),
    "values of others": ("x.max(-1)", lambda x: (x.amin(-1), x.argmax(-1))),
    "not sorted": ("x.argsort(-1)", lambda x: torch.arange(10).expand(x.shape)),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_index_of_another_value_is_wrong(name):
    body, answer = WRONG[name]
    assert len(wrong(body, answer)) >= 2


def test_an_index_given_twice_is_wrong_even_among_equals():
    body = "torch.topk((x > 0).float(), 3, dim=-1)[1]"
    (detail, *_) = wrong(body, lambda x: (x > 0).float().topk(1)[1].expand(2, 6, 8, 3).contiguous())
    assert "named more than once" in detail


def test_the_sentence_says_what_was_selected():
    (detail, *_) = wrong("x.argmax(-1)", lambda x: x.argmin(-1))
    assert "selects" in detail
    (detail, *_) = wrong("x.argmax(-1)", lambda x: x.argmax(-1) + 100)
    assert "out of range" in detail


def test_what_roundoff_decides_is_not_held_against_a_kernel():
    body = "(x.sum(-1) > x.sum(-1).flip(0)).int()"
    assert wrong(body, lambda x: (x.double().sum(-1) - 1e-9 > x.double().sum(-1).flip(0)).int()) == []
    assert wrong(body, lambda x: (x.sum(-1) > 0).int())


def test_whole_numbers_are_exact():
    assert wrong("(x * 4).long() // 3", lambda x: (x * 4).long() // 3) == []
    assert wrong("(x * 4).long()", lambda x: (x * 4 + 0.01).long())


RANKS = "torch.zeros_like(x).scatter(3, x.{sort}, torch.arange(10, dtype=x.dtype).expand_as(x))"


def ranks_backwards(x):
    return torch.zeros_like(x).scatter(3, backwards(x, 3), torch.arange(10, dtype=x.dtype).expand_as(x))


def test_what_is_computed_from_the_order_of_equals_is_not_held_against_a_kernel():
    """PyTorch guarantees no order of equals, unless a sort is asked to be stable."""
    assert wrong(RANKS.format(sort="argsort(3)"), ranks_backwards) == []
    assert wrong(RANKS.format(sort="argsort(3)"), lambda x: ranks_backwards(-x))
    assert wrong(RANKS.format(sort="argsort(dim=3, stable=True)"), ranks_backwards)
