"""Shapes that nobody announced: right, or a clear refusal; what was guaranteed must be served."""

import pytest
import torch
from operator_texts import HEAD, NO_INIT
from sampling import sampled

from akgflow.operators.shapes.guarantee import Guarantee, SizeRange
from akgflow.verification.judge.second_look.layouts import in_other_layouts
from akgflow.verification.judge.second_look.shapes import MOST_ELEMENTS, Drawer

SOFTMAX = (
    HEAD
    + """
rows, length = 6, 64
shape = (rows, length)
class Model(nn.Module):
    def forward(self, x):
        return torch.softmax(x, dim=-1)
def get_inputs():
    return [torch.randn(shape)]
"""
    + NO_INIT
)
LINEAR = (
    HEAD
    + """
batch, features, heads = 5, 48, 4
class Model(nn.Module):
    def __init__(self, features, heads):
        super().__init__()
        assert features % heads == 0, "heads share the features"
        self.heads, self.proj = heads, nn.Linear(features, features)
    def forward(self, x):
        return self.proj(x).unflatten(-1, (self.heads, -1)).mean(-1)
def get_inputs():
    return [torch.randn(batch, features)]
def get_init_inputs():
    return [features, heads]
"""
)


def answering(body, operator=SOFTMAX):
    """The operator as its own candidate, with another ``forward``."""
    own = operator.replace("class Model(", "class ModelNew(")
    head, _, rest = own.partition("    def forward(self, x):\n")
    return head + f"    def forward(self, x):\n        {body}\n" + rest.partition("\n")[2]


RIGHT = "return x.softmax(-1)"
CUT = "return torch.softmax(x[:, :64], dim=-1)"
BLOCK = "return torch.cat([x[:, :128].softmax(-1), x[:, 128:]], 1)"
WALK = "return x.as_strided(x.shape, (x.shape[1], 1)).softmax(-1)"
NOBODY = Guarantee()
ASKED = {
    # name: (what forward does, guarantee, status, words of the message)
    "right": ("return torch.softmax(x, dim=-1)", NOBODY, "PASSED", "other shapes"),
    "a row length": (CUT, NOBODY, "INCORRECT_SHAPE", "not announced (length=1"),
    "rows": ("return torch.cat([x[:6].softmax(-1), x[6:]])", NOBODY, "INCORRECT_NUMERICAL", "rows="),
    "a block": (BLOCK, NOBODY, "INCORRECT_NUMERICAL", "length="),
    "refuses": ("assert x.shape[1] == 64, 'rows of 64'; " + RIGHT, NOBODY, "PASSED", "to length=64 (it"),
    "refuses many": ("assert len(x) == 6; " + RIGHT, NOBODY, "PASSED", "to rows=6 (it refuses"),
    "exits": ("x.shape[1] == 64 or sys.exit(3); " + RIGHT, NOBODY, "PASSED", "specialised to"),
    "crashes": ("x.shape[1] == 64 or os.kill(os.getpid(), 11); " + RIGHT, NOBODY, "RUNTIME_ERROR", "SIGSEGV"),
    "hangs": ("[None for _ in iter(lambda: x.shape[1] == 64, True)]; " + RIGHT, NOBODY, "PASSED", "right on"),
    "only the stated": (CUT, Guarantee(fixed=True), "PASSED", "(executed)"),
    "refuses a guarantee": (
        "assert x.shape[1] == 64, 'rows of 64'; " + RIGHT,
        Guarantee(sizes={"length": SizeRange(1, 100)}), "RUNTIME_ERROR", "refuses a shape that was guaranteed (length=",
    ),
    "breaks a guarantee": (
        BLOCK,
        Guarantee(sizes={"length": SizeRange(129, 300)}), "INCORRECT_NUMERICAL", "wrong on a shape that was guaranteed",
    ),
    "keeps a guarantee": (
        "assert x.shape[1] % 8 == 0 and x.shape[1] <= 96; " + RIGHT,
        Guarantee(sizes={"length": SizeRange(8, 96, 8)}), "PASSED", "other shapes",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    "name", sampled(ASKED, "right", "a block", "refuses", "refuses a guarantee", "keeps a guarantee")
)
def test_a_candidate_is_asked_for_other_shapes(bench, name):
    body, guarantee, status, words = ASKED[name]
    text = "import os, sys\n" + answering(body)
    verdict = bench.judge(text, SOFTMAX, shapes=guarantee)
    assert verdict.status == status, verdict.message
    assert words in verdict.message, verdict.message
    assert (verdict.shapes is None) == (guarantee.fixed or status != "PASSED")
    if name == "hangs":
        assert verdict.shapes.untried and not verdict.shapes.general
    elif verdict.shapes is not None:
        assert verdict.shapes.general == (not verdict.shapes.specialised)


def test_an_operator_whose_sizes_cannot_be_told_says_so(bench):
    text = SOFTMAX.replace("torch.randn(shape)", "torch.randn(*map(int, '6 64'.split()))")
    verdict = bench.judge(answering("return torch.softmax(x, dim=-1)", text), text)
    assert verdict.passed and "no size that can be told" in verdict.shapes.untried


WRITTEN_OUT = SOFTMAX.replace("torch.randn(shape)", "torch.randn(6, 64)")
MADE_FOR_64 = {
    "its shape": (CUT, "is wrong on"),
    "its values": ("return torch.cat([x[:, :64].softmax(-1), x[:, 64:]], -1)", "is wrong on"),
    "an exception": ("return x.softmax(-1) + x.new_zeros(64)", "fails on"),
    "its end": ("if x.shape[-1] != 64: os.kill(os.getpid(), 11)\n        return x.softmax(-1)", "fails on"),
}


@pytest.mark.parametrize("wrong", MADE_FOR_64)
def test_a_kernel_for_a_number_without_a_name_is_specialised(bench, wrong):
    """Nobody said that the number may be another one; the verdict says what it is on others."""
    body, words = MADE_FOR_64[wrong]
    verdict = bench.judge("import os\n" + answering(body, WRITTEN_OUT), WRITTEN_OUT)
    assert verdict.passed and f"number_64=64 (it {words} number_64=" in verdict.message, verdict.message
    assert not verdict.shapes.general and "announced" not in verdict.message
    given = Guarantee(sizes={"number_64": SizeRange(1, 128)})
    assert not bench.judge("import os\n" + answering(body, WRITTEN_OUT), WRITTEN_OUT, shapes=given).passed


def test_sizes_with_a_name_are_varied_alone(bench):
    text = SOFTMAX.replace("torch.randn(shape)", "torch.randn(rows, 64)")
    verdict = bench.judge(answering("return x.softmax(-1)", text), text)
    assert verdict.passed and {name for one in verdict.shapes.right for name in one} == {"rows"}, verdict.message


def test_sizes_that_get_inputs_writes_out_are_varied_and_can_be_set(bench):
    text = WRITTEN_OUT
    served = bench.judge(answering("return x.softmax(-1)", text), text, cases=({"number_64": 24},))
    assert served.passed and served.shapes.general, served.message
    assert {name for one in served.shapes.right for name in one} == {"number_6", "number_64"}


@pytest.mark.parametrize("turn", range(3))
def test_shapes_keep_to_what_the_operator_can_do(turn):
    drawer = Drawer(LINEAR, "operator.py", None, {}, {"batch": 5, "features": 48}, {})
    found = list(drawer.shapes(lambda: True))
    assert len(found) >= 4
    assert all(one.get("features", 48) % 4 == 0 for one in found)
    assert any("features" in one for one in found) and any("batch" in one for one in found)
    assert any(max(one.values()) > 48 for one in found), "something outgrows the stated sizes"


ROTARY = """
class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.register_buffer("angles", torch.arange(0, width, 2).float())
    def forward(self, x):
        one, other = x.chunk(2, -1)
        return torch.cat([one * self.angles - other, other * self.angles + one], -1)
def get_inputs(rows=6, width=20):
    return [torch.randn(rows, width)]
def get_init_inputs(width=20):
    return [width]
"""
TWO_VECTORS = """
class Model(nn.Module):
    def forward(self, x, y):
        return (x - x.mean()) * y
def get_inputs(n=24, m=24):
    return [torch.randn(n), torch.randn(m)]
"""
OUTER = """
class Model(nn.Module):
    def forward(self, x, y, scale):
        return (x[:, None] - y) * scale.expand(x.shape[0], y.shape[0])
def get_inputs(n=24, m=5):
    return [torch.randn(n), torch.randn(m), torch.randn(n, 1)]
"""
FITS = {
    # name: (operator, own sizes, further sizes, whether they fit only by accident)
    "half a pair": (ROTARY, {"rows": 6, "width": 20}, {"width": 3}, True),
    "one pair": (ROTARY, {"rows": 6, "width": 20}, {"width": 2}, False),
    "one row": (ROTARY, {"rows": 6, "width": 20}, {"rows": 1}, False),
    "one beside many": (TWO_VECTORS, {"n": 24, "m": 24}, {"n": 1}, True),
    "one beside one": (TWO_VECTORS, {"n": 24, "m": 24}, {"n": 1, "m": 1}, False),
    "what is broadcast anyway": (OUTER, {"n": 24, "m": 5}, {"n": 1}, False),
    "each of two that are": (OUTER, {"n": 24, "m": 5}, {"m": 1}, False),
}


@pytest.mark.parametrize("name", FITS)
def test_a_shape_that_fits_by_broadcasting_alone_is_no_case(name):
    text, own, sizes, by_accident = FITS[name]
    drawer = Drawer(HEAD + text + (NO_INIT if "get_init" not in text else ""), "operator.py", None, {}, own, {})
    assert drawer._runs(sizes) is not by_accident


def test_shapes_keep_to_what_is_guaranteed_and_to_memory():
    own, guaranteed = {"rows": 6, "length": 64}, {"length": SizeRange(64, 10**9, 64)}
    for sizes in Drawer(SOFTMAX, "operator.py", None, {}, own, guaranteed).shapes(lambda: True):
        length = sizes.get("length", 64)
        assert length % 64 == 0 and length * sizes.get("rows", 6) <= MOST_ELEMENTS


@pytest.mark.thorough
def test_a_case_sets_what_is_computed_from_it_in_the_baseline_too(bench):
    verdict = bench.judge(answering("return torch.softmax(x, dim=-1)"), SOFTMAX, cases=({"length": 7},), time=True)
    assert verdict.passed, verdict.message
    assert {one.case["length"] for one in verdict.correctness.cases} == {7}
    assert "timing" not in verdict.absent or "busy" in verdict.absent["timing"]


def test_secret_cases_are_judged_and_marked(bench):
    wrong = answering("return torch.cat([x[:, :70].softmax(-1), x[:, 70:]], 1)")
    how = {"cases": ({"length": 9},), "secret_cases": ({"length": 77},), "shapes": Guarantee(fixed=True)}
    verdict = bench.judge(wrong, SOFTMAX, **how)
    assert verdict.status == "INCORRECT_NUMERICAL" and "length=77" in verdict.message
    assert {(one.case["length"], one.secret) for one in verdict.correctness.cases} == {(9, False), (77, True)}


LAYOUTS = {
    # name: (what forward does, layouts, status, words of the message)
    "walks the strides": (RIGHT, "any", "PASSED", "other shapes"),
    "makes them contiguous": ("return x.contiguous().softmax(-1)", "any", "PASSED", "other shapes"),
    "walks the memory": (WALK, "any", "INCORRECT_NUMERICAL", "wrong on inputs that are "),
    "says so": ("assert x.is_contiguous(), 'rows'; " + RIGHT, "any", "RUNTIME_ERROR", "rows"),
    "walks the memory, and nobody minds": (WALK, None, "PASSED", "takes contiguous inputs only ("),
    "says so, and nobody minds": ("assert x.is_contiguous(), 'rows'; " + RIGHT, None, "PASSED", "only (it refuses "),
}


@pytest.mark.parametrize(
    "name", sampled(LAYOUTS, "makes them contiguous", "walks the memory", "says so, and nobody minds")
)
@pytest.mark.parametrize("text", [SOFTMAX, SOFTMAX.replace("torch.randn(shape)", "torch.randn(6, 64)")])
def test_other_layouts(bench, name, text):
    body, layouts, status, words = LAYOUTS[name]
    if "shape)" not in text and (layouts is None or status == "PASSED"):
        return  # Without names for sizes, other layouts are tried only where they are asked for.
    verdict = bench.judge(answering(body, text), text, layouts=layouts)
    assert verdict.status == status, verdict.message
    assert words in verdict.message, verdict.message


def test_layouts_differ_and_hold_what_they_held():
    made = (torch.arange(24.0).reshape(4, 6), torch.arange(3), torch.ones(1, 5))
    found = dict(in_other_layouts(made))
    assert {name: one[0].stride() for name, one in found.items()} == {
        "transposed": (1, 4),
        "sliced": (12, 1),
        "expanded": (0, 1),
    }
    for name, (matrix, indices, row) in found.items():
        assert torch.equal(matrix, made[0][:1].expand(4, 6) if name == "expanded" else made[0])
        assert indices is made[1] and torch.equal(row, made[2])
