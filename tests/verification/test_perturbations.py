"""Single-element perturbations: another answer, which caches by a part of the content do not give."""

import pytest
import torch
from judging import DEVICES, target_of

from akgflow.terms import Status
from akgflow.verification.reference.distributions import InputInvariant
from akgflow.verification.reference.reference import Reference
from akgflow.verification.reference.special.perturbations import (
    FAR,
    OTHER,
    OUT_OF_RANGE,
    REPEATED,
    SPARSE,
    single_element_perturbations,
)

OPERATOR = """
import torch
import torch.nn.functional as F

class Model(torch.nn.Module):
    def forward(self, x):
        return {body}

def get_inputs():
    return [{inputs}]

def get_init_inputs():
    return []
"""
HEAD = "import torch\n\nclass ModelNew(torch.nn.Module):\n"


@pytest.mark.parametrize("value", [OTHER, FAR, OUT_OF_RANGE])
def test_exactly_one_element_changes(value):
    made = (torch.rand(4, 5), torch.rand(5), 3)
    for _ in range(200):
        invariants = [InputInvariant(True, low=0, high=1), InputInvariant(False)]
        ((perturbed,),) = single_element_perturbations(made, invariants, [value])
        changed = (perturbed[0] != made[0]).nonzero()
        assert len(changed) == 1
        assert torch.equal(perturbed[1], made[1])
        assert all(0 < at < size - 1 for at, size in zip(changed[0].tolist(), made[0].shape, strict=True))


def test_every_input_is_perturbed():
    text = OPERATOR.format(body="x + a * b", inputs="*(torch.randn(4, 6) for _ in range(3))").replace(
        "x)", "x, a, b)", 1
    )
    reference = Reference(text, "operator.py", {}, None, "cpu")
    reference.prepare()
    pairs = [list(zip(one.inputs, reference.draws[0].inputs, strict=True)) for one in reference.perturbed]
    assert sorted(place for pair in pairs for place, (a, b) in enumerate(pair) if not torch.equal(a, b)) == [0, 1, 2]


FEW = {
    "mean": ("x.mean()", "torch.randn(40, 300)", {REPEATED, SPARSE}),
    "loss": ("F.cross_entropy(x, t)", "torch.randn(40, 300), torch.randint(20, (40,))", {REPEATED, SPARSE}),
    "logarithms": ("x.log().sum()", "torch.rand(40, 300) + 1", {REPEATED}),
    "a permutation": ("(x[t] * x).sum()", "torch.randn(40, 300), torch.randperm(40)", {SPARSE}),
    "offsets": ("(x.cumsum(1) * t[:, None]).sum()", "torch.randn(40, 300), torch.arange(40) // 2", {SPARSE}),
    "rows": ("x.sum(-1)", "torch.randn(40, 30)", set()),
}


@pytest.mark.parametrize("name", FEW)
def test_what_is_made_from_many_is_also_made_from_few(name):
    body, inputs, kinds = FEW[name]
    text = OPERATOR.format(body=body, inputs=inputs)
    text = text.replace("(self, x)", "(self, x, t)") if ", t" in inputs else text
    reference = Reference(text, "operator.py", {}, None, "cpu")
    reference.prepare()
    draws = {draw.distribution: draw.inputs[0] for draw in reference.draws}
    assert {REPEATED, SPARSE} & set(draws) == kinds
    if REPEATED in kinds:
        assert len(draws[REPEATED].unique(dim=0)) == 1
    if SPARSE in kinds:
        assert 8 <= int(draws[SPARSE].count_nonzero()) <= 80


TASKS = {
    "softmax": ("torch.softmax(x, -1)", "torch.rand(8, 400)", 1),
    "product": ("x @ x.T", "torch.randn(30, 40)", 1),
    "largest": ("torch.argmax(x, -1)", "torch.rand(8, 400)", 1),
    "logarithm": ("torch.log(x)", "torch.rand(8, 40)", 1),
    "arc sine": ("torch.asin(x)", "torch.rand(8, 40)", 1),
    "cross entropy": ("F.binary_cross_entropy(x, torch.ones_like(x))", "torch.rand(20)", 1),
    "half precision": ("torch.softmax(x, -1)", "torch.rand(8, 400).half()", 1),
    "mean of a million": ("x.mean()", "torch.rand(1000, 1000)", 0),
    "symmetric": ("x * 2", "(lambda a: a + a.T)(torch.rand(20, 20))", 0),
    "whole numbers": ("x * 2", "torch.randint(0, 9, (20, 20)).float()", 0),
}


@pytest.mark.parametrize("name", TASKS)
def test_inputs_are_perturbed_where_that_changes_the_answer(name):
    body, inputs, least = TASKS[name]
    reference = Reference(OPERATOR.format(body=body, inputs=inputs), "operator.py", {}, None, "cpu")
    reference.prepare()
    assert len(reference.perturbed) >= least
    first = reference.draws[0]
    for one in reference.perturbed:
        assert int((one.inputs[0] != first.inputs[0]).sum()) == 1
        assert all(torch.isfinite(output.oracle).all() for output in one.expected)


CACHES = {
    "corners": "x.shape, float(x[0, 0]), float(x[-1, -1])",
    "a sample": "x.shape, *x.flatten()[::64].tolist()",
    "the first row": "x.shape, *x[0].tolist()",
    "address": "x.shape, x.data_ptr()",
}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", CACHES)
def test_a_cache_by_a_part_is_refused(bench, name, device):
    body = f"""
    kept = {{}}

    def forward(self, x):
        key = {CACHES[name]}
        if key not in self.kept:
            self.kept[key] = torch.softmax(x, -1)
        return self.kept[key].clone()
    """
    operator = OPERATOR.format(body="torch.softmax(x, -1)", inputs="torch.rand(8, 400)")
    verdict = bench.judge(HEAD + body, operator, target=target_of(device))
    assert verdict.status is Status.INCORRECT_NUMERICAL, verdict.message


def test_an_answer_must_not_depend_on_the_address_of_its_question(bench):
    body = """
    kept = None

    def forward(self, x):
        # As a captured graph does: it goes on reading where its first question lay.
        self.kept = x if self.kept is None else self.kept
        return torch.softmax(self.kept, -1)
    """
    verdict = bench.judge(HEAD + body, OPERATOR.format(body="torch.softmax(x, -1)", inputs="torch.rand(8, 400)"))
    assert verdict.status is Status.INCORRECT_NUMERICAL, verdict.message
    assert "right at first and wrong on call" in verdict.message
