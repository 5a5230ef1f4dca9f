"""Every dtype that torch stores: as an input, a parameter and an output, drawn, widened and compared."""

import pytest
import torch

from akgflow.verification.reference.operator import OperatorError
from akgflow.verification.reference.reference import Reference
from akgflow.verification.reference.tolerance import compare
from akgflow.verification.shared import dtypes

NAMES = """
    float64 float32 float16 bfloat16 float8_e4m3fn float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz float8_e8m0fnu
    complex32 complex64 complex128 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool
"""
pytestmark = pytest.mark.filterwarnings("ignore:ComplexHalf support is experimental")
STORED = [name for name in NAMES.split() if hasattr(torch, name)]
FLOATS = [name for name in STORED if name.startswith(("float", "bfloat"))]
EIGHT_BITS = [name for name in FLOATS if "float8" in name]
needs_float4 = pytest.mark.skipif(dtypes.FLOAT4 is None, reason="this torch has no float4")

OPERATOR = """
import torch

class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        {parts}

    def forward(self, x):
        return {body}

def get_inputs():
    return [{inputs}]

def get_init_inputs():
    return []
"""


def source(name):
    """An expression for 40 by 24 values of a dtype."""
    if name == "bool":
        return "torch.rand(40, 24) < 0.5"
    if "int" in name:
        return f"torch.randint(0, 100, (40, 24)).to(torch.{name})"
    kind = "torch.complex64" if "complex" in name else "torch.float32"
    return f"torch.randn(40, 24, dtype={kind}).to(torch.{name})"


def operator(body, inputs, parts="pass"):
    return OPERATOR.format(body=body, inputs=inputs, parts=parts)


def reference(*text):
    made = Reference(operator(*text), "operator.py", {}, None, "cpu")
    made.prepare()
    return made


def refusals(made, answer):
    found = []
    for draw in [*made.draws, *made.perturbed]:
        got = [compare(answer(*draw.inputs), expected, 0, 1.0) for expected in draw.expected]
        found += [one.detail for one in got if one.wrong]
    return found


def other(tensor):
    """The same values, but for one that is far off: of numbers without a fraction the largest, else one in the middle.

    Numbers without a fraction span so many decades that what is far off for a small one is nothing beside the largest.
    """
    raw = tensor.clone()
    values, size = raw.reshape(-1).view(torch.uint8), raw.element_size()
    whole = raw.dtype == torch.float8_e8m0fnu
    # Its highest code is NaN.
    at = int(values.masked_fill(values == 0xFF, 0).argmax()) if whole else values.numel() // 2 // size * size
    values[at : at + size] ^= 1 if raw.dtype == torch.bool else 0x55
    return raw


@pytest.mark.parametrize("name", STORED)
def test_a_copy_is_right_and_another_value_wrong(name):
    made = reference("x.clone()", source(name))
    assert refusals(made, lambda x: x.clone()) == []
    assert len(refusals(made, lambda x: other(x))) == len(made.draws) + len(made.perturbed)


@pytest.mark.parametrize("name", FLOATS)
def test_a_dtype_is_read(name):
    made = reference("x.float() * 3", source(name))
    assert {draw.distribution for draw in made.draws} >= {"operator", "normal", "extremes"}
    assert refusals(made, lambda x: x.to(torch.float32) * 3) == []
    assert len(refusals(made, lambda x: x.to(torch.float32) * 3.001)) == len(made.draws) + len(made.perturbed)


def up(x, dtype):
    """Rounded to the nearest number, what is halfway between two away from zero."""
    near = x.to(dtype)
    away = (x + (x - near.double()) * 1e-6).to(dtype)
    return torch.where(torch.isfinite(away.float()), away.float(), near.float()).to(dtype)


def cut(x, dtype):
    """Rounded towards zero."""
    near = x.to(dtype)
    codes = near.view(torch.uint8 if dtype.itemsize == 1 else torch.int16 if dtype.itemsize == 2 else torch.int32)
    smaller = (codes - 1).view(dtype) if codes.dtype != torch.uint8 else (codes.int() - 1).to(torch.uint8).view(dtype)
    over = (near.double().abs() > x.double().abs()) & (near.double() != 0)
    # Below the least number is zero, which is not the next code where there is a single one.
    return torch.where(over, smaller.double().nan_to_num(0.0), near.double()).to(dtype)


@pytest.mark.parametrize("name", [name for name in FLOATS if name not in ("float64", "float32", "float8_e8m0fnu")])
def test_one_rounding_is_allowed_and_no_more(name):
    dtype = getattr(torch, name)
    made = reference(f"(x * 1.1).to(torch.{name})", "torch.randn(40, 24)")
    for right in (lambda x: (x * 1.1).to(dtype), lambda x: up(x * 1.1, dtype), lambda x: cut(x * 1.1, dtype)):
        assert refusals(made, right) == []
    (step, *_) = (dtypes.format_of(dtype).eps,)
    assert refusals(made, lambda x: (x * 1.1 * (1 + 1.6 * step)).to(dtype))
    assert refusals(made, lambda x: (x * 1.1).to(dtype).neg() if dtype in dtypes.COMPUTED else (-x).to(dtype))


def test_a_scale_is_the_power_of_two_below_or_above():
    scale = getattr(torch, "float8_e8m0fnu", None)
    if scale is None:
        pytest.skip("this torch has no float8_e8m0fnu")
    made = reference("x.abs().amax(1).to(torch.float8_e8m0fnu)", "torch.randn(40, 24)")
    assert refusals(made, lambda x: x.abs().amax(1).to(scale)) == []
    assert refusals(made, lambda x: torch.exp2(torch.floor(torch.log2(x.abs().amax(1)))).to(scale)) == []
    assert refusals(made, lambda x: (x.abs().amax(1) * 2).to(scale))
    assert refusals(made, lambda x: (x.abs().amax(1) / 4).to(scale))


@pytest.mark.parametrize("name", EIGHT_BITS)
def test_draws_cover_an_8_bit_format(name):
    dtype = getattr(torch, name)
    made = reference("x.float() / 2", source(name).replace("40, 24", "200, 24"))
    (found,) = (draw.inputs[0] for draw in made.draws if draw.distribution == "extremes")
    values, form = found.double(), dtypes.format_of(dtype)
    assert bool(torch.isfinite(values).all())
    assert float(values.abs().max()) == form.most
    assert float(values[values != 0].abs().min()) == form.least
    assert found.view(torch.uint8).unique().numel() > 100


def test_saturating_is_as_right_as_what_torch_gives():
    made = reference("(x * 400).to(torch.float8_e4m3fn)", "torch.rand(40, 24)")
    assert refusals(made, lambda x: (x * 400).clamp(-448, 448).to(torch.float8_e4m3fn)) == []


@pytest.mark.parametrize("name", STORED)
def test_parameters_of_a_dtype_are_drawn(name):
    if "complex" in name:
        parts = f"self.p = torch.nn.Parameter(torch.zeros(24, dtype=torch.{name}))"
    else:
        parts = f"self.p = torch.nn.Parameter(torch.zeros(24).to(torch.{name}), requires_grad=False)"
    made = reference("x * self.p.to(torch.complex64).abs()", "torch.randn(40, 24)", parts)
    state = made.state["p"]
    assert state.dtype == getattr(torch, name)
    drawn = name in FLOATS or "complex" in name
    assert (dtypes.as_float64(state).unique().numel() > 2) == drawn
    assert refusals(made, lambda x: x * state.to(torch.complex64).abs()) == []


@needs_float4
def test_packed_4_bit_values_are_pairs():
    bits = "torch.randint(0, 256, (40, 24), dtype=torch.uint8).view(torch.float4_e2m1fn_x2)"
    made = reference("x.view(torch.uint8).view(torch.float4_e2m1fn_x2)", bits)
    assert refusals(made, lambda x: x.clone()) == []
    assert refusals(made, lambda x: (x.view(torch.uint8) ^ 0x44).view(x.dtype))
    values = torch.tensor([[0.5, -6.0], [1.5, 3.0]])
    packed = dtypes.stored(values.reshape(2, 2), torch.empty(2, dtype=torch.uint8).view(dtypes.FLOAT4))
    assert dtypes.as_float64(packed).tolist() == values.tolist()


def test_a_dtype_that_cannot_be_compared_is_named():
    with pytest.raises(OperatorError, match=r"uses torch\.bits8, whose values cannot be compared"):
        reference("x.view(torch.uint8).view(torch.bits8)", "torch.randint(0, 9, (40,), dtype=torch.uint8)")


CAST = """
import torch
class ModelNew(torch.nn.Module):
    def forward(self, x):
        return {body}
"""


@pytest.mark.parametrize("name", ["float8_e4m3fn", "uint16", "uint64", "complex32"])
def test_the_judge_takes_a_dtype_in_and_out(bench, name):
    text = operator("x.clone()", source(name))
    right = bench.judge(CAST.format(body="x.clone()"), text)
    assert right.passed, right.message
    wrong = bench.judge(CAST.format(body="torch.zeros_like(x)"), text)
    assert wrong.status == "INCORRECT_NUMERICAL", wrong.message


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["float8_e4m3fn", "uint32"])
def test_the_clock_takes_a_dtype(bench, name):
    text = operator("torch.cat((x, x))", source(name).replace("40, 24", "400, 240"))
    verdict = bench.judge(CAST.format(body="torch.cat((x, x))"), text, time=True)
    assert verdict.passed, verdict.message
    assert verdict.timing or verdict.absent.get("timing")
