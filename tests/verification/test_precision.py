"""The precision contract: what each one allows, to candidates, to the framework's own kernels and to the bounds."""

import json
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from judging import target_of
from ways import reference, refusals

from akgflow.api import document_schema
from akgflow.base import resources
from akgflow.cli._verify import verify_command
from akgflow.config import check_precision
from akgflow.errors import ConfigError
from akgflow.precision import PRECISIONS, Contract, Operands, Precision
from akgflow.verification.reference.tracing.narrowing import UNITS, Narrowing, nearest, toward_zero
from akgflow.verification.reference.tracing.op_count import measure
from akgflow.verification.selftest import STAND_IN, canaries_for
from akgflow.verification.shared import dtypes

STRICT, TF32, BF16, FP16 = (Precision(name) for name in ("strict", "tf32", "compute=bf16", "compute=fp16"))


def test_every_place_knows_the_same_words():
    verdict = document_schema("verdict")["$defs"]["Precision"]["enum"]
    task = json.loads(resources.schema("task").read_text(encoding="utf-8"))["properties"]["precision"]["else"]
    (option,) = (one for one in verify_command.params if one.name == "precision")
    assert list(PRECISIONS) == verdict == task["else"]["enum"] == list(option.type.choices)
    forms = task["then"]["properties"]["compute"]["else"]["enum"]
    assert {f"compute={form}" for form in forms} == {one for one in PRECISIONS if "=" in one}


def test_it_is_a_word_or_a_mapping():
    assert check_precision("tf32") is TF32
    assert check_precision("compute=bf16") is check_precision({"compute": "bf16"}) is BF16
    for wrong in ("bf16", "tf23", {"compute": "fp8"}, {"compte": "bf16"}, {}):
        with pytest.raises(ConfigError, match="there is no precision"):
            check_precision(wrong)


@pytest.mark.parametrize(
    ("precision", "platform", "products", "convolutions"),
    [
        ("framework", "cuda", None, "tf32"),
        ("framework", "cpu", None, None),
        ("framework", "hip", None, None),
        ("strict", "cuda", None, None),
        ("tf32", "cpu", "tf32", "tf32"),
        ("compute=bf16", "cuda", "bf16", "bf16"),
    ],
)
def test_what_may_be_rounded(precision, platform, products, convolutions):
    assert Precision(precision).operands(platform) == (products, convolutions)


@pytest.mark.parametrize("form", UNITS)
def test_rounding_keeps_what_the_format_holds(form):
    values = torch.cat([torch.randn(10_000).double(), torch.tensor([0.0, -0.0, torch.inf, -torch.inf, torch.nan])])
    near, cut = nearest(values, form), toward_zero(values, form)
    apart = ((near - values) / values)[:10_000]
    assert float(apart[values[:10_000].abs() > 1e-2].abs().max()) <= UNITS[form]
    assert bool((cut.abs() <= values.abs() * (1 + 1e-7)).logical_or(values.isnan()).all())
    for found in (near, cut):
        torch.testing.assert_close(nearest(found, form), found, rtol=0, atol=0, equal_nan=True)
        torch.testing.assert_close(toward_zero(found, form), found, rtol=0, atol=0, equal_nan=True)


def same(x):
    return x


def rounded(form):
    return lambda x: nearest(x, form)


def cut(form):
    return lambda x: toward_zero(x, form)


def convolved(change):
    return lambda s, x: F.conv2d(change(x), change(s.c_weight), s.c_bias)


def attended(change):
    def answer(_, q, k, v):
        weights = torch.softmax(change(q) @ change(k).mT / q.shape[-1] ** 0.5, -1)
        return change(weights) @ change(v)

    return answer


OPERATORS = {
    "product": (("a @ b", {"a": "24, 512", "b": "512, 20"}), lambda change: lambda _, a, b: change(a) @ change(b)),
    "convolution": (("self.c(x)", {"x": "2, 12, 14, 14"}, "self.c = nn.Conv2d(12, 8, 3)"), convolved),
    "attention": (("F.scaled_dot_product_attention(q, k, v)", dict.fromkeys("qkv", "2, 48, 32")), attended),
    "layer": (
        ("torch.relu(self.l(x))", {"x": "64, 256"}, "self.l = nn.Linear(256, 100)"),
        lambda change: lambda s, x: torch.relu(F.linear(change(x), change(s.l_weight), s.l_bias)),
    ),
}
WAYS = {
    "float32": same,
    "TF32": rounded("tf32"),
    "cut to TF32": cut("tf32"),
    "bfloat16": rounded("bf16"),
    "cut to bfloat16": cut("bf16"),
    "8 bits": lambda x: x.to(torch.float8_e4m3fn).to(x.dtype),
}
ACCEPTED = {
    STRICT: {"float32"},
    TF32: {"float32", "TF32", "cut to TF32"},
    FP16: {"float32", "TF32", "cut to TF32"},
    BF16: {"float32", "TF32", "cut to TF32", "bfloat16", "cut to bfloat16"},
}


@pytest.mark.parametrize("precision", ACCEPTED)
@pytest.mark.parametrize("name", OPERATORS)
def test_operands_may_be_as_narrow_as_is_agreed_and_no_narrower(name, precision):
    text, way = OPERATORS[name]
    made = reference(*text, contract=Contract.on(precision, "cpu"))
    accepted = {narrow for narrow, change in WAYS.items() if not refusals(made, way(change))}
    assert accepted == ACCEPTED[precision]


OTHERS = {
    "layer norm": (
        ("self.n(x)", {"x": "16, 512"}, "self.n = nn.LayerNorm(512)"),
        lambda s, x: F.layer_norm(nearest(x, "tf32"), (512,), s.n_weight, s.n_bias),
    ),
    "loss": (
        ("F.mse_loss(x, y)", {"x": "64, 100", "y": "64, 100"}),
        lambda _, x, y: F.mse_loss(nearest(x, "tf32"), nearest(y, "tf32")),
    ),
    "softmax": (("torch.softmax(x, -1)", {"x": "8, 500"}), lambda _, x: torch.softmax(nearest(x, "tf32"), -1)),
    "what follows a product": (
        ("torch.exp(a @ b / 400)", {"a": "24, 512", "b": "512, 20"}),
        lambda _, a, b: nearest(torch.exp(a @ b / 400), "tf32"),
    ),
    "a written-out product": (
        ("(a[:, :, None] * b[None]).sum(1)", {"a": "24, 64", "b": "64, 20"}),
        lambda _, a, b: nearest(a, "tf32") @ nearest(b, "tf32"),
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_nothing_but_contractions_is_loosened(name):
    text, narrow = OTHERS[name]
    made = reference(*text, contract=Contract.on(TF32, "cpu"))
    assert refusals(made, narrow)


def test_other_dtypes_are_not_loosened():
    text, way = OPERATORS["product"]
    made = reference(*text, dtype="float16", contract=Contract.on(BF16, "cpu"))
    assert not made.oracle.permission
    assert refusals(made, lambda s, *x: way(rounded("bf16"))(s, *(one.float() for one in x)).half())


def test_only_convolutions_are_loosened_by_default_on_nvidia():
    contract = Contract.on(Precision.FRAMEWORK, "cuda")
    (convolution, way), (product, other) = OPERATORS["convolution"], OPERATORS["product"]
    made = reference(*convolution, contract=contract)
    assert "convolutions may be rounded to TF32" in made.oracle.permission
    assert not refusals(made, way(rounded("tf32"))) and refusals(made, way(rounded("bf16")))
    made = reference(*product, contract=contract)
    assert not made.oracle.permission
    assert refusals(made, other(rounded("tf32")))


def test_how_the_framework_is_imitated_is_not_its_work():
    a, b = torch.randn(64, 64), torch.randn(64, 64)

    def call():
        with Narrowing(Operands("bf16", None)):
            return a @ b

    assert torch.equal(call(), a.bfloat16().float() @ b.bfloat16().float())
    assert measure(call) == measure(lambda: a @ b)


@pytest.mark.parametrize("before", ["fp32_precision", "conv", "matmul", "none"])
def test_settings_hold_whatever_was_set_before(before):
    """Reading one of PyTorch's two interfaces raises where they differ."""
    if before == "fp32_precision":
        torch.backends.fp32_precision = "tf32"
    elif before == "conv":
        torch.backends.cudnn.conv.fp32_precision = "ieee"
    elif before == "matmul":
        torch.set_float32_matmul_precision("medium")
    for precision in (STRICT, TF32, Precision.FRAMEWORK):
        dtypes.use_tf32(*precision.tf32)
        assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == precision.tf32
        assert torch.backends.cudnn.conv.fp32_precision in (("tf32",) if precision.tf32[1] else ("none", "ieee"))
        assert torch.get_float32_matmul_precision() == ("high" if precision.tf32[0] else "highest")


SETTINGS = """
import torch

torch.backends.cuda.matmul.allow_tf32 = True
torch.backends.cudnn.allow_tf32 = False


class Model(torch.nn.Module):
    def forward(self, x):
        products, convolutions = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
        return x * (1 + products + 2 * convolutions)


def get_inputs():
    return [torch.randn(300, 400)]


def get_init_inputs():
    return []
"""


@pytest.mark.thorough
@pytest.mark.parametrize("precision", Precision)
def test_every_process_has_the_settings_of_the_contract(bench, precision):
    """The judge's, the candidate's and the baseline's, whatever the operator's file sets."""
    products, convolutions = precision.tf32
    factor = 1 + products + 2 * convolutions
    asked = {"precision": precision, "framework": "allow", "time": True}
    fixed = SETTINGS.replace("(1 + products + 2 * convolutions)", str(factor)).replace("Model(", "ModelNew(")
    for candidate in (fixed, SETTINGS.replace("Model(", "ModelNew(")):
        verdict = bench.judge(candidate, SETTINGS, **asked)
        assert verdict.passed, verdict.message
        assert verdict.precision is precision and not verdict.allowed
        # Answers are compared with the baseline's as well.
        assert verdict.timing or "wrong" not in verdict.absent["timing"]


CONVOLUTION = """
import torch


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(32, 64, 3, padding=1)
        self.second = torch.nn.Conv2d(64, 64, 3, padding=1)

    def forward(self, x):
        return torch.relu(self.second(torch.relu(self.first(x))))


def get_inputs():
    return [torch.randn(8, 32, 56, 56)]


def get_init_inputs():
    return []
"""


@pytest.mark.gpu
@pytest.mark.parametrize("precision", Precision)
def test_a_convolution_is_right_as_its_own_candidate_on_a_gpu(bench, precision):
    verdict = bench.judge(
        CONVOLUTION.replace("Model(", "ModelNew("),
        CONVOLUTION,
        target=target_of("gpu"),
        precision=precision,
        framework="allow",
        time=True,
    )
    assert verdict.passed, (verdict.message, verdict.log)
    assert bool(verdict.allowed) == (precision is not STRICT)
    assert all(timing.call == "same" for timing in verdict.timing), verdict.timing


@pytest.mark.gpu
def test_tf32_is_told_from_float32_on_a_gpu(bench):
    """Under `strict`, a candidate that turns PyTorch's own TF32 on again is refused."""
    again = "    def forward(self, x):\n        torch.backends.cudnn.allow_tf32 = True\n"
    cheat = CONVOLUTION.replace("Model(", "ModelNew(").replace("    def forward(self, x):\n", again)
    verdict = bench.judge(cheat, CONVOLUTION, target=target_of("gpu"), precision=STRICT, framework="allow")
    assert verdict.status == "INCORRECT_NUMERICAL", verdict.message


def test_the_contract_is_in_the_message_and_in_no_reference_of_another(bench):
    """References are kept between judgements of one judge."""
    operator = CONVOLUTION.replace("8, 32, 56, 56", "1, 32, 12, 12")
    narrow = operator.replace("Model(", "ModelNew(").replace(
        "        return", "        x = x.bfloat16().float()\n        return"
    )
    asked = {"framework": "allow", "time": False}
    allowed = bench.judge(narrow, operator, precision=BF16, **asked)
    assert allowed.passed and allowed.allowed in allowed.message, allowed.message
    assert "may be rounded to bfloat16" in allowed.allowed
    assert not bench.judge(narrow, operator, precision=STRICT, **asked).passed
    assert bench.judge(narrow, operator, precision=BF16, **asked).passed
    assert replace(allowed, precision=STRICT) != allowed


@pytest.mark.thorough
@pytest.mark.parametrize("precision", [TF32, BF16, FP16])
def test_the_canaries_tell_the_judge_under_any_contract(bench, precision):
    own, _, *others = canaries_for(STAND_IN, {}, 1.0)
    for canary in (own, *(one for one in others if one.numeric)):
        asked = {"framework": canary.framework, "precision": precision}
        verdict = bench.judge(canary.candidate, STAND_IN, **asked)
        assert canary.accepts(verdict.status, warned=False), (canary.name, verdict.message)
