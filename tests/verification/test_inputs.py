"""Inputs: distributions that keep the invariants of the operator's own, and parameters that are no defaults."""

import pytest
import torch

from akgflow.verification.reference import inputs as drawing
from akgflow.verification.reference.distributions import EXTRA, NORMAL, ORDERED, SHIFTED
from akgflow.verification.reference.distributions import OPERATOR as OWN
from akgflow.verification.reference.operator import OperatorError
from akgflow.verification.reference.reference import Reference
from akgflow.verification.shared import memory

OPERATOR = """
import torch
import torch.nn as nn
import torch.nn.functional as F

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        {parts}

    def forward(self, *x):
        return {body}

def get_inputs():
    return [{inputs}]

def get_init_inputs():
    return []
"""


def reference(inputs, body="x[0] * 2", parts="pass", dtype=None):
    made = Reference(OPERATOR.format(parts=parts, body=body, inputs=inputs), "operator.py", {}, dtype, "cpu")
    made.prepare()
    return made


def sums_to_one(t):
    return bool(((t.sum(-1) - 1).abs() < 1e-5).all() and (t >= 0).all())


KEPT = {
    "upper triangle": ("torch.triu(torch.rand(20, 20))", lambda t: bool((t.tril(-1) == 0).all())),
    "diagonal": ("torch.diag(torch.rand(20))", lambda t: bool((t - torch.diag(t.diag()) == 0).all())),
    "symmetric": ("(lambda a: a + a.T)(torch.rand(20, 20))", lambda t: torch.equal(t, t.T)),
    "probabilities": ("torch.rand(8, 20).softmax(-1)", sums_to_one),
    "sorted": ("torch.rand(8, 20).sort(-1).values", lambda t: bool((t.diff(dim=-1) >= 0).all())),
}


@pytest.mark.parametrize("name", KEPT)
def test_an_invariant_holds_in_every_distribution(name):
    inputs, holds = KEPT[name]
    draws = reference(inputs).draws
    assert {draw.distribution for draw in draws} >= {"operator", "normal"}
    assert all(holds(draw.inputs[0]) for draw in draws)


CHOSEN = {
    "a table": "torch.linspace(0, 1, 40).cos()",
    "ones": "torch.ones(40)",
    "a mask": "(torch.rand(40) > 0.5).float()",
    "whole numbers": "torch.randint(0, 9, (40,)).float()",
    "an infinite mask": "torch.where(torch.rand(40) > 0.5, 0.0, float('-inf'))",
    "indices": "torch.randint(0, 9, (40,))",
}


@pytest.mark.parametrize("name", CHOSEN)
def test_what_is_chosen_stays(name):
    made = reference(f"torch.rand(40), {CHOSEN[name]}", "x[0] * x[1]")
    assert [invariant.random for invariant in made.invariants] == [True, False]
    values = [set(draw.inputs[1].tolist()) for draw in made.draws]
    own = set(made.fresh("operator")[1].tolist())
    assert all(v <= own | set(range(9)) for v in values)


def test_distributions_are_what_they_say():
    draws = {draw.distribution: draw.inputs[0] for draw in reference("torch.rand(100, 100)").draws}
    assert set(draws) == {"operator", "normal", "wide", "ties", "extremes", "scaled rows", "shifted", "rows in order"}
    assert draws["ties"].max() <= -0.5
    assert draws["operator"].min() >= 0
    assert abs(float(draws["normal"].mean())) < 0.1
    size = draws["wide"].abs()
    assert 5e-4 < float(size.min()) < 0.002
    assert 50 < float(size.max()) < 101
    assert draws["ties"].unique().numel() < 30
    zeros = draws["extremes"] == 0
    assert 0.2 < float(zeros.float().mean()) < 0.3
    assert 0.4 < float(torch.signbit(draws["extremes"][zeros]).float().mean()) < 0.6
    assert float(draws["extremes"].abs().max()) > 500
    rows = draws["scaled rows"].std(dim=1)
    for size, count in ((1e-3, 25), (1.0, 50), (1e4, 25)):
        assert int(((rows > 0.7 * size) & (rows < 1.3 * size)).sum()) == count
    assert 990 < float(draws["shifted"].min()) < float(draws["shifted"].max()) < 1010


def test_rows_come_in_orders_that_no_draw_gives():
    (rows,) = (one.inputs[0] for one in reference("torch.rand(70, 40) - 0.5").draws if one.distribution == ORDERED)
    steps, same = rows.diff(dim=1), (rows[1:, :35] == rows[:-1, :35]).all(1)
    flat = (steps == 0).all(1)
    begin = (rows[:, :35] == 0).all(1) & ~flat
    # The few numbers after the zeros may be in order by chance.
    left = ~flat & ~begin
    assert int(((steps >= 0).all(1) & left).sum()) == 10
    assert int(((steps <= 0).all(1) & left).sum()) == 10
    # Of the constant rows, those of zeros at the least: another constant may be rounded to zero.
    assert int(flat.sum()) == 20 and int((rows == 0).all(1).sum()) >= 10
    assert int(begin.sum()) == 10
    assert int(same.sum()) >= 18  # and rows of zeros after those that begin with zeros


@pytest.mark.parametrize(
    ("inputs", "body", "kept"),
    [
        ("torch.randint(0, 20, (30, 16)).float()", "x[0] * 2", "whole numbers that were seen"),
        ("torch.rand(30, 16) + 1", "torch.log(x[0])", "what is finite"),
    ],
)
def test_rows_in_order_hold_the_operator_s_own_values(inputs, body, kept):
    (rows,) = (one.inputs[0] for one in reference(inputs, body).draws if one.distribution == ORDERED)
    assert int((rows.diff(dim=1) <= 0).all(1).sum()) >= 12, kept
    if "seen" in kept:
        assert bool((rows == rows.round()).all())
    else:
        assert float(rows.min()) >= 1


def test_float64_is_asked_with_its_own_digits():
    made = reference("torch.rand(30, 16)", "x[0] @ self.w", "self.w = nn.Parameter(torch.rand(16, 9))", "float64")
    (normal,) = (one.inputs[0] for one in made.draws if one.distribution == NORMAL)
    for one in (normal, made.state["w"]):
        assert float((one.float().double() != one).double().mean()) > 0.9


ADMITTED = {
    "logarithm": ("torch.rand(40, 40)", "torch.log(x[0])", {"positive"}),
    "root": ("torch.rand(40, 40)", "torch.sqrt(x[0])", {"positive"}),
    "binary cross entropy": (
        "torch.rand(40, 40), (torch.rand(40, 40) > 0.5).float()",
        "F.binary_cross_entropy(x[0], x[1])",
        {"bounded"},
    ),
    "arc sine": ("torch.rand(40, 40)", "torch.asin(x[0])", {"bounded"}),
    "index from a value": ("torch.rand(40)", "torch.arange(10.0)[(x[0] * 10).long()]", {"bounded"}),
    "masked": (
        "torch.rand(8, 8), torch.full((8, 8), float('-inf')).triu(0)",
        "torch.softmax(x[0] + x[1], -1)",
        {"signed"},
    ),
}


@pytest.mark.parametrize("name", ADMITTED)
def test_an_operator_gets_what_it_admits(name):
    inputs, body, ways = ADMITTED[name]
    draws = reference(inputs, body).draws
    assert {draw.way for draw in draws if draw.distribution == "normal"} == ways


def test_what_the_framework_cannot_do_is_not_asked():
    made = reference("torch.rand(64, 64)", "torch.exp(x[0] * 20)")
    assert "extremes" not in {draw.distribution for draw in made.draws if draw.way == "signed"}


MASK, MEAN = "torch.rand(13, 77) < 0.3", "(x[0] * x[1]).sum(-1) / x[1].sum(-1)"
PADDED, INSIDE = "torch.arange(20) < torch.randint(1, 21, (30, 1))", "torch.arange(20) < x[1][:, None]"


@pytest.mark.parametrize(("body", "ends"), [(f"{MEAN}.clamp(min=1)", (0, 77)), (MEAN, None)])
def test_rows_are_all_masked_where_the_operator_admits_it(body, ends):
    draws = {draw.distribution: draw for draw in reference(f"torch.rand(13, 77), {MASK}", body).draws}
    counts = draws["extremes"].inputs[1].sum(-1)
    assert ((int(counts.min()), int(counts.max())) == (0, 77)) == (ends is not None)
    assert all(bool(torch.isfinite(draw.expected[0].oracle).all()) for draw in draws.values())


def test_a_padding_keeps_its_first_element_and_has_no_holes():
    made = reference(f"torch.rand(30, 20), {PADDED}", "(x[0] * x[1]).sum(-1)")
    for _ in range(40):
        mask = made.fresh("extremes")[1]
        assert bool(mask[:, 0].all())
        assert bool((mask[:, 1:] <= mask[:, :-1]).all())


def test_an_infinite_mask_is_one():
    inputs = "torch.rand(9, 40), torch.where(torch.rand(9, 40) < 0.5, 0.0, float('-inf'))"
    draws = {draw.distribution: draw for draw in reference(inputs, "(x[0] + x[1]).softmax(-1).nan_to_num(0.0)").draws}
    hidden = torch.isneginf(draws["extremes"].inputs[1]).sum(-1)
    assert (int(hidden.min()), int(hidden.max())) == (0, 40)


LENGTHS = {
    "from one on": ("torch.randint(1, 21, (30,))", {1, 20}),
    "far from one": ("torch.randint(500, 600, (30,))", None),
    "a permutation": ("torch.randperm(30)", set()),
    "offsets": ("torch.randint(0, 9, (30,)).cumsum(0)", set()),
    "one number for all": ("torch.full((30,), 7)", set()),
}


@pytest.mark.parametrize("name", LENGTHS)
def test_lengths_go_to_the_ends_of_their_range(name):
    numbers, ends = LENGTHS[name]
    made = reference(f"torch.rand(30, 20), {numbers}", f"torch.where({INSIDE}, x[0], 0).sum(-1)")
    lengths = made.invariants[1].lengths
    if ends is None:
        assert min(lengths) >= 500
        return
    assert set(lengths) == ends
    extremes = next(draw for draw in made.draws if draw.distribution.startswith("extremes"))
    assert ends <= set(extremes.inputs[1].tolist())


PARAMETERS = {
    "channels": ("self.p = nn.Parameter(torch.ones(7, 1, 1))", 0.5, 1.0),
    "scalar": ("self.p = nn.Parameter(torch.tensor(0.0))", None, 0.0),
    "layer scale": ("self.p = nn.Parameter(1e-6 * torch.ones(400))", 0.5, 0.0),
    "norm weight": ("self.p = nn.Parameter(torch.ones(400))", 0.5, 1.0),
    "low-rank zeros": ("self.p = nn.Parameter(torch.zeros(400, 16))", 0.25, 0.0),
    "position table": ("self.p = nn.Parameter(torch.zeros(1, 100, 64))", 0.125, 0.0),
    "PReLU": ("self.p = nn.Parameter(torch.full((400,), 0.25))", 0.5, 0.25),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_no_parameter_has_its_default(name):
    parts, spread, centre = PARAMETERS[name]
    made = reference("torch.rand(4)", "x[0] * self.p.sum()", parts)
    drawn, default = made.state["p"], made._default["p"]
    assert not (drawn == default).any()
    if spread is not None and drawn.numel() > 100:
        assert abs(float(drawn.std()) - spread) < 0.2 * spread
        assert abs(float(drawn.mean()) - centre) < 0.15


def test_a_root_of_a_parameter_gets_magnitudes():
    made = reference("torch.rand(4, 50)", "x[0] / torch.sqrt(self.p)", "self.p = nn.Parameter(torch.ones(50))")
    assert bool((made.state["p"] > 0).all())
    assert all(bool(torch.isfinite(one.oracle).all()) for draw in made.draws for one in draw.expected)


def test_seeds_are_fresh():
    one, other = reference("torch.rand(50)"), reference("torch.rand(50)")
    assert not torch.equal(one.draws[0].inputs[0], other.draws[0].inputs[0])
    assert drawing.fresh_seed() != drawing.fresh_seed()


def test_layouts_stay():
    made = reference("torch.rand(6, 8).T, torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last)")
    strides = {tuple(t.stride() for t in memory.tensors(draw.inputs)) for draw in made.draws}
    assert strides == {((1, 8), (48, 1, 12, 3))}


def test_a_random_operator_cannot_be_judged():
    with pytest.raises(OperatorError, match="gives another result on the same inputs"):
        reference("torch.rand(50)", "F.dropout(x[0])")


RANDOM = {
    "an initial state": ("x[0] + torch.randn(50, device=x[0].device)", 12),
    "dropout": ("F.dropout(x[0])", 12),
    "Python's own": ("x[0] * __import__('random').random()", None),
    "numpy's": ("x[0] * __import__('numpy').random.rand()", None),
    "only in float32": ("(x[0].float() @ torch.eye(50)) * torch.rand(())", 12),
}


@pytest.mark.parametrize("name", RANDOM)
def test_what_draws_random_numbers_is_named_with_its_line_and_what_to_do(name):
    body, line = RANDOM[name]
    where = rf" \([a-z_]+\) at operator\.py:{line}" if line else ""
    with pytest.raises(OperatorError, match=f"draws random numbers{where}; draw them in get_inputs"):
        reference("torch.rand(50)", body)


def test_inputs_on_which_random_numbers_have_an_effect_are_not_asked():
    """A recurrence forgets how it began, unless its gates saturate."""
    body = "torch.sigmoid(x[0]) + torch.randn(20, 50) * torch.relu(x[0].mean() - 2)"
    found = {draw.distribution for draw in reference("torch.rand(20, 50)", body).draws}
    assert "operator" in found
    assert SHIFTED not in found
    same = "torch.sigmoid(x[0]) + torch.ones(20, 50, dtype=x[0].dtype) * torch.relu(x[0].mean() - 2)"
    assert SHIFTED in {draw.distribution for draw in reference("torch.rand(20, 50)", same).draws}


def test_random_numbers_without_an_effect_are_no_matter():
    assert reference("torch.rand(50)", "x[0] + 0 * torch.rand(50)").draws


def test_one_secret_gives_the_same_inputs_and_parameters_and_another_gives_others():
    parts, inputs, body = "self.w = nn.Parameter(torch.ones(33))", "torch.randn(5, 33)", "x[0] * self.w"

    def made(secret):
        text = OPERATOR.format(parts=parts, body=body, inputs=inputs)
        found = Reference(text, "operator.py", {}, None, "cpu", secret=secret)
        found.prepare()
        return found.state["w"], {draw.distribution: draw.inputs[0] for draw in found.draws}

    weight, draws = made("a")
    same_weight, same_draws = made("a")
    other_weight, other_draws = made("b")
    assert torch.equal(weight, same_weight)
    assert not torch.equal(weight, other_weight)
    # Which distributions are drawn in which order is no matter of the seed; what each is, is.
    shared = draws.keys() & same_draws.keys() & {OWN, NORMAL, *EXTRA}
    assert {"operator", "normal"} < shared
    assert all(torch.equal(draws[name], same_draws[name]) for name in shared)
    assert not any(torch.equal(draws[name], other_draws[name]) for name in shared & other_draws.keys())
