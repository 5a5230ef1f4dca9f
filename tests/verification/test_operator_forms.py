"""Operators in the forms in which people write them: each is judged, or its message says what to change."""

import pytest
from operator_texts import HEAD, candidate, operator
from sampling import sampled

from akgflow.operators.text import whole

FORMS = {
    # name: (operator, what a wrong candidate does otherwise, the words about it)
    "in place, nothing is returned": (
        operator("""
            class Model(nn.Module):
                def forward(self, p, g, m, step):
                    m.mul_(0.9).add_(g, alpha=0.1)
                    p.sub_(m / (1 - 0.9 ** step))
            def get_inputs():
                return [torch.randn(203), torch.randn(203), torch.rand(203), 3]
        """),
        ("m.mul_(0.9).add_(g, alpha=0.1)", "m = m * 0.9 + g * 0.1"),
        "input 2 after the call",
    ),
    "in place in lists": (
        operator("""
            class Model(nn.Module):
                def forward(self, params, state):
                    for p, g in zip(params, state["grads"]):
                        g.mul_(0.5)
                        p.sub_(g)
            def get_inputs():
                return [[torch.randn(9), torch.randn(4, 3)], {"grads": [torch.randn(9), torch.randn(4, 3)]}]
        """),
        ("p.sub_(g)", "p.sub_(g) if p.dim() == 1 else None"),
        "input 1 after the call",
    ),
    "keywords": (
        operator("""
            class Model(nn.Module):
                def forward(self, *, x, y, alpha=1.0, kind="add"):
                    return x + alpha * y if kind == "add" else x - alpha * y
            def get_inputs():
                return {"y": torch.randn(12, 7), "x": torch.randn(12, 7), "alpha": 0.3}
        """),
        ("x + alpha * y", "y + alpha * x"),
        "output 0",
    ),
    "arguments and keywords": (
        operator("""
            class Model(nn.Module):
                def forward(self, x, y, *, alpha):
                    return x + alpha * y
            def get_inputs():
                return [[torch.randn(12, 7), torch.randn(12, 7)], {"alpha": 0.3}]
        """),
        ("x + alpha * y", "y + alpha * x"),
        "output 0",
    ),
    "arguments and keywords where there are defaults": (
        operator("""
            class Model(nn.Module):
                def forward(self, x, y, alpha=1.0, kind="add"):
                    return x + alpha * y if kind == "add" else x - alpha * y
            def get_inputs():
                return [[torch.randn(12, 7), torch.randn(12, 7)], {"alpha": 0.3, "kind": "add"}]
        """),
        ("x + alpha * y", "y + alpha * x"),
        "output 0",
    ),
    "a list and a dict": (
        operator("""
            class Model(nn.Module):
                def forward(self, xs, more):
                    return xs[0] + more["y"] * xs[1]
            def get_inputs():
                return [[torch.randn(12, 7), torch.randn(12, 7)], {"y": torch.randn(12, 7)}]
        """),
        ('more["y"] * xs[1]', "xs[1]"),
        "output 0",
    ),
    "a dict as the only argument": (
        operator("""
            class Model(nn.Module):
                def forward(self, batch):
                    return batch["x"] * batch["mask"][:, None]
            def get_inputs():
                return {"x": torch.randn(12, 7), "mask": (torch.rand(12) > 0.5).float()}
        """),
        ('batch["mask"][:, None]', "1.5"),
        "output 0",
    ),
    "one tensor and no list": (
        operator("""
            class Model(nn.Module):
                def forward(self, x):
                    return x.exp()
            def get_inputs():
                return torch.randn(12, 7)
        """),
        ("x.exp()", "x + 1"),
        "output 0",
    ),
    "nested results": (
        operator("""
            class Model(nn.Module):
                def forward(self, x):
                    return {"rows": [x.sum(1), (x.amax(1), None)], "count": x.shape[0], "name": "rows"}
            def get_inputs():
                return [torch.randn(12, 7)]
        """),
        ("x.amax(1)", "x.amin(1)"),
        "output 1",
    ),
    "nothing but get_inputs_dyn_list": (
        operator("""
            class Model(nn.Module):
                def forward(self, x, y):
                    return torch.relu(x + y)
            def get_inputs_dyn_list():
                return [[torch.randn(n, 8), torch.randn(n, 8)] for n in (1, 13, 40)]
        """),
        ("torch.relu(x + y)", "torch.relu(x + y) * (x.shape[0] < 40)"),
        "dyn=2",
    ),
    "None and text": (
        operator("""
            class Model(nn.Module):
                def __init__(self, act, bias=None):
                    super().__init__()
                    self.act, self.bias = act, bias
                def forward(self, x, mask=None, mode="sum"):
                    x = F.silu(x) if self.act == "silu" else x
                    return x.sum(-1) if mask is None and mode == "sum" else x
            def get_inputs():
                return [torch.randn(12, 70), None, "sum"]
        """, "\n\ndef get_init_inputs():\n    return ['silu', None]\n"),
        ("F.silu(x)", "F.gelu(x)"),
        "output 0",
    ),
    "tensors without elements": (
        operator("""
            class Model(nn.Module):
                def forward(self, x, empty, rows):
                    return torch.cat([x, empty]) * 2, empty.sum(1), rows.sum(1) + x[:5, 0]
            def get_inputs():
                return [torch.randn(12, 7), torch.randn(0, 7), torch.randn(5, 0)]
        """),
        ("rows.sum(1) + x", "rows.sum(1) - x"),
        "output 2",
    ),
    "a first state that is no buffer": (
        operator("""
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.h0 = torch.randn(1, 12, 5)
                    self.rnn = nn.RNN(7, 5, batch_first=True)
                def forward(self, x):
                    self.h0 = self.h0.to(x.device)
                    return self.rnn(x, self.h0)[0]
            def get_inputs():
                return [torch.randn(12, 3, 7)]
        """),
        ("self.rnn(x, self.h0)", "self.rnn(x)"),
        "output 0",
    ),
    "truth values of what is sorted": (
        operator("""
            class Model(nn.Module):
                def forward(self, x):
                    places = torch.argsort(x, stable=True)
                    return torch.zeros_like(x, dtype=torch.bool).scatter(1, places[:, :3], True)
            def get_inputs():
                return [torch.randn(12, 9)]
        """),
        ("places[:, :3]", "places[:, :4]"),
        "output 0",
    ),
    "seeds that get_inputs sets": (
        operator("""
            class Model(nn.Module):
                def forward(self, x, y):
                    return x * y
            def get_inputs():
                torch.manual_seed(0)
                return [torch.randn(12, 7), torch.randn(7, generator=torch.Generator().manual_seed(1))]
        """),
        ("x * y", "x * torch.randn(7, generator=torch.Generator().manual_seed(1))"),
        "output 0",
    ),
    "a buffer that each call changes": (
        operator("""
            class Model(nn.Module):
                def __init__(self, slots, width):
                    super().__init__()
                    self.register_buffer("cache", torch.zeros(slots, width))
                def forward(self, x, at):
                    self.cache[at] = x
                    return self.cache.sum(0)
            def get_inputs():
                return [torch.randn(4, 7), torch.randperm(16)[:4]]
        """, "\n\ndef get_init_inputs():\n    return [16, 7]\n"),
        ("self.cache[at] = x\n        return self.cache.sum(0)", "return self.cache.index_copy(0, at, x).sum(0)"),
        "buffer cache after the call",
    ),
    "nothing but a buffer changes": (
        operator("""
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.register_buffer("average", torch.ones(31))
                def forward(self, x):
                    self.average.mul_(0.9).add_(x, alpha=0.1)
            def get_inputs():
                return [torch.randn(31)]
        """),
        ("alpha=0.1", "alpha=0.11"),
        "buffer average after the call",
    ),
    "tied and frozen weights, buffers that are not saved": (
        operator("""
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.embed = nn.Embedding(40, 8)
                    self.head = nn.Linear(8, 40, bias=False)
                    self.head.weight = self.embed.weight
                    self.scale = nn.Parameter(torch.ones(8), requires_grad=False)
                    self.register_buffer("table", torch.arange(8).float().cos(), persistent=False)
                def forward(self, ids):
                    return self.head(self.embed(ids) * self.scale + self.table)
            def get_inputs():
                return [torch.randint(0, 40, (12,))]
        """),
        ("* self.scale + self.table", "+ self.table"),
        "output 0",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sampled(FORMS, *list(FORMS)[:3]))
def test_each_form_is_judged(bench, name):
    text, (right, wrong), words = FORMS[name]
    found = bench.judge(candidate(text), text)
    assert found.passed, found.message
    assert not any("weak task" in said for said in found.warnings), found.warnings
    assert right in text
    found = bench.judge(candidate(text.replace(right, wrong)), text)
    assert found.status == "INCORRECT_NUMERICAL", found.message
    assert words in found.message


IN_PLACE = FORMS["in place, nothing is returned"][0]
OTHERWISE = {
    "returns what it changed": ("p.sub_(", "return p.sub_(", "INCORRECT_SHAPE"),
    "changes an input more": ("p.sub_(", "g.zero_(); p.sub_(", "REFUSED"),
    "changes nothing": ("m.mul_(0.9)", "return; m.mul_(0.9)", "INCORRECT_NUMERICAL"),
}  # fmt: skip


@pytest.mark.parametrize("name", sampled(OTHERWISE, *list(OTHERWISE)[:2]))
def test_without_a_result_the_changes_are_compared(bench, name):
    right, wrong, status = OTHERWISE[name]
    found = bench.judge(candidate(IN_PLACE).replace(right, wrong), IN_PLACE)
    assert found.status == status, found.message
    assert not found.unfit
    assert "only inputs 0, 2 may change" in found.message or status != "REFUSED"


TIMED = """
class ModelNew(Model):
    calls = 0

    def forward(self, p, g, m, step):
        self.calls += 1
        kept = m.clone()
        {body}
        if self.calls > 60:
            {then}
"""


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("then", "status"),
    [("pass", "PASSED"), ("m.copy_(kept)", "INCORRECT_NUMERICAL"), ("p.mul_(1.001)", "INCORRECT_NUMERICAL")],
)
def test_changes_are_compared_while_they_are_timed(bench, then, status):
    body = "super().forward(p, g, m, step)"
    found = bench.judge(IN_PLACE + TIMED.format(body=body, then=then), IN_PLACE, time=True)
    assert found.status == status, found.message
    if status == "PASSED":
        assert [one.baseline for one in found.timing] == ["eager"] or "too busy" in found.absent["timing"]
    else:
        assert "wrong while it was timed" in found.message
        assert "after the call" in found.message


@pytest.mark.parametrize("inputs", sampled(["[]", "[41]", "{'n': 41}"], "[]"))
def test_an_operator_needs_no_tensor_among_its_inputs(bench, inputs):
    text = operator(f"""
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.weight = nn.Parameter(torch.ones(41))
            def forward(self, n=41):
                return (torch.arange(n) + self.weight).cos()
        def get_inputs():
            return {inputs}
    """)
    assert bench.judge(candidate(text), text).passed
    assert bench.judge(candidate(text).replace(".cos()", ".sin()"), text).status == "INCORRECT_NUMERICAL"


def test_dropout_is_judged_in_eval_mode(bench):
    text = operator("""
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.drop = nn.Dropout(0.3)
            def forward(self, x):
                return self.drop(x).relu()
        def get_inputs():
            return [torch.randn(99)]
    """)
    judged = whole(text, {}, "eval")
    found = bench.judge(candidate(text), judged)
    assert found.passed and "(executed, in eval mode)" in found.message
    assert bench.judge(candidate(text).replace(".relu()", ".abs()"), judged).status == "INCORRECT_NUMERICAL"
    assert bench.judge(candidate(text).replace("self.drop(x)", "F.dropout(x, 0.3)"), judged).status != "PASSED"


def test_a_mode_holds_for_reference_and_candidate(bench):
    text = operator("""
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.norm = nn.BatchNorm1d(7)
            def forward(self, x):
                return self.norm(x)
        def get_inputs():
            return [torch.randn(40, 7)]
    """)
    for mode in ("eval", "train", None):
        judged = whole(text, {}, mode)
        found = bench.judge(candidate(text), judged)
        assert found.passed, (mode, found.message)
        assert found.warnings[1:] == ()
    by_batch = "F.batch_norm(x, None, None, self.norm.weight, self.norm.bias, True)"
    other = candidate(text).replace("self.norm(x)", by_batch)
    assert bench.judge(other, whole(text, {}, "eval")).status == "INCORRECT_NUMERICAL"
    left = bench.judge(other, whole(text, {}, "train"))
    assert left.passed
    assert "updates norm.running_mean" in left.warnings[1]


BESIDE = """
from __future__ import annotations

import torch

from helpers import SIZE
from parts.rope import twice


class Model(torch.nn.Module):
    def forward(self, x):
        from helpers import more
        return twice(x) + more(x)


def get_inputs():
    return [torch.randn(SIZE, 5)]


def get_init_inputs():
    return []
"""


def carried(size, factor):
    files = {
        "helpers.py": f"SIZE = {size}\n\n\ndef more(x):\n    return x.abs()\n",
        "parts/rope.py": "from .base import FACTOR\n\n\ndef twice(x):\n    return FACTOR * x\n",
        "parts/base.py": f"FACTOR = {factor}\n",
    }
    return whole(BESIDE, files, None)


def test_an_operator_needs_no_folder_for_what_it_imports(bench):
    right = HEAD + "class ModelNew(nn.Module):\n    def forward(self, x):\n        return {factor} * x + x.abs()\n"
    for size, factor in ((9, 2), (6, 3)):
        found = bench.judge(right.format(factor=factor), carried(size, factor))
        assert found.passed, found.message
        assert {case.total for case in found.correctness.cases} == {5 * size}
    assert bench.judge(right.format(factor=2), carried(6, 3)).status == "INCORRECT_NUMERICAL"


@pytest.mark.thorough
def test_a_baseline_imports_what_its_operator_carries(bench):
    right = HEAD + "class ModelNew(nn.Module):\n    def forward(self, x):\n        return 2 * x + x.abs()\n"
    found = bench.judge(right, carried(900, 2), time=True)
    assert found.passed, found.message
    assert found.timing or "too busy" in found.absent["timing"], found.absent


def test_cases_and_listed_inputs_are_combined(bench):
    text = operator("""
        class Model(nn.Module):
            def forward(self, x):
                return x * 2
        def get_inputs_dyn_list(columns=3):
            return [torch.randn(n, columns) for n in (4, 9)]
    """)
    found = bench.judge(candidate(text), text, cases=({"columns": 5}, {"columns": 8, "dyn": 1}))
    assert found.passed, found.message
    cases = {tuple(sorted(one.case.items())) for one in found.correctness.cases}
    assert cases == {(("columns", 5), ("dyn", 0)), (("columns", 5), ("dyn", 1)), (("columns", 8), ("dyn", 1))}
    assert "gives 2 cases, and none has the number 7" in bench.judge(candidate(text), text, cases=({"dyn": 7},)).message
