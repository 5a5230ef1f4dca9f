"""Gradients are judged like outputs: honest kernels pass forward and backward, and their faults in them are named."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from gradient_kernels import FAULTS, KERNELS, text_of, wrong_text
from judging import target_of
from operator_texts import operator
from sampling import sampled

from akgflow.operators.backward import Backward
from akgflow.operators.text import whole
from akgflow.terms import Evidence
from akgflow.verdict import Limits, Timing
from akgflow.verification.judge.resources.memory_plan import DoesNotFit, Room, plan
from akgflow.verification.judge.timing.summary import Timed, in_parts
from akgflow.verification.reference.operator import OperatorError, make_case
from akgflow.verification.reference.reference import Reference
from akgflow.verification.reference.special.gradients import ANOTHER, EXPANDED
from akgflow.verification.reference.tracing.from_shapes.footprint import footprint_of
from akgflow.verification.reference.tracing.rounding import Rounding

EVIDENCE = {"cpp": Evidence.EXECUTED, "triton": Evidence.INTERPRETED}


def judged(bench, kernel, text, overwrites=(), place="cpu", **changes):
    """The verdict on ``text`` as an answer to the operator of ``kernel``."""
    if place == "cpu":
        changes["evidence"] = (EVIDENCE[kernel.dsl],)
    else:
        limits = Limits(build_seconds=180, run_seconds=120, memory_bytes=4 << 30)
        changes |= {"target": target_of(place), "evidence": (Evidence.EXECUTED,), "limits": limits}
    return bench.judge(text, kernel.asked(*overwrites), toolchain=kernel.dsl, **changes)


def on_either(names, kernel_of, *kept):
    """Names with ``cpu``, a few of them in each run of the tests; and with ``gpu`` those of Triton kernels."""
    yield from (
        pytest.param(*one.values, "cpu", marks=one.marks) if hasattr(one, "marks") else (one, "cpu")
        for one in sampled(names, *kept)
    )
    for name in names:
        if KERNELS[kernel_of(name)].dsl == "triton":
            yield pytest.param(name, "gpu", marks=pytest.mark.gpu)


HONEST = [*on_either(KERNELS, str, "rms_norm_cpp", "cross_entropy_in_place_triton", "rms_norm_triton", "adamw_triton")]
FAULTY = list(
    on_either(
        FAULTS,
        lambda name: FAULTS[name].kernel,
        "only the last row",
        "stale: kept on the module",
        "right for upstream ones only",
        "one row of each program's",
    )
)


@pytest.mark.parametrize(("name", "place"), HONEST)
def test_an_honest_kernel_passes_forward_and_backward(bench, name, place):
    kernel = KERNELS[name]
    found = judged(bench, kernel, text_of(name), kernel.overwrites, place)
    assert found.passed, (found.message, found.log)
    asked = {one.distribution for one in found.correctness.cases}
    assert ("gradients, too" in found.message) == ("other upstream gradients" in asked) == kernel.backward
    scalar = kernel.operator.endswith("cross_entropy")
    assert scalar or ("expanded upstream gradients" in asked) == kernel.backward


@pytest.mark.parametrize(("name", "place"), FAULTY)
def test_a_fault_is_named(bench, name, place):
    fault = FAULTS[name]
    kernel = KERNELS[fault.kernel]
    found = judged(bench, kernel, wrong_text(name), () if not fault.right else kernel.overwrites, place)
    assert found.status in fault.status.split(), (found.message, found.log)
    assert any(words in found.message for words in fault.message.split("|")), found.message


def test_a_case_takes_room_for_its_gradients_and_is_never_cut():
    text = operator("""
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.weight = nn.Parameter(torch.ones(1024))
            def forward(self, x):
                return torch.tanh(x) * self.weight
        def get_inputs():
            return [torch.randn(1 << 15, 1024)]
    """)
    size = 4 << 25
    alone, asked = (
        footprint_of(make_case(one, "op.py", {}, None, 0)) for one in (text, whole(text, {}, None, Backward()))
    )
    assert (alone.inputs, alone.outputs, alone.between) == (size, size, 2 * size)
    # Outputs, upstream gradients and gradients; forward keeps the tanh, and backward goes through products.
    assert asked.outputs == 3 * size + asked.state and asked.between >= 5 * size
    assert plan(alone, "cpu", 2, Room(24 * size)).slicing is not None
    assert plan(asked, "cpu", 2, Room(200 * size), gradients=True).slicing is None
    with pytest.raises(DoesNotFit, match="judging it takes at least"):
        plan(asked, "cpu", 2, Room(24 * size), gradients=True)


def test_the_table_of_kernels_is_current():
    page = (Path(__file__).parents[2] / "docs" / "gradients.md").read_text(encoding="utf-8")
    rows = page.split("| operator | kernel |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    assert sorted(row.split("|")[2].strip() for row in rows) == sorted(KERNELS)


def reference_of(text, **asked):
    return Reference(whole(operator(text), {}, None, Backward(**asked)), "op.py", {}, None, "cpu")


MIXED = """
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(7))
            self.frozen = nn.Parameter(torch.ones(7), requires_grad=False)
            self.unused = nn.Parameter(torch.ones(7))
        def forward(self, xs, ids, *, y, scale):
            return {"sum": xs[0] * self.scale * self.frozen + y * scale, "ids": ids + 1, "other": xs[1].detach()}
    def get_inputs():
        tensors = [torch.randn(5, 7), torch.randn(5, 7)]
        return [[tensors, torch.arange(5)], {"scale": torch.rand(7), "y": torch.randn(5, 7)}]
"""


def test_gradients_are_asked_of_what_has_one():
    reference = reference_of(MIXED, overwrites=("xs", "upstream"))
    wanted = reference.case.wanted
    assert wanted.names == ["xs[0]", "scale", "y"] and wanted.inputs == [0, 3, 4]
    assert wanted.parameters == ["scale"] and wanted.outputs == [0]
    assert wanted.keys == ["xs[0]", "scale", "y", "self.scale"]
    assert reference.case.overwrites == (0, 1, 5)
    reference.prepare()
    first = reference.draws[0]
    assert first.names[:4] == ["output 0", "output 1", "output 2", "the gradient of input xs[0]"]
    assert first.names[-1] == "the gradient of parameter scale"
    assert first.input_name(4) == "input 4" and first.input_name(5) == "upstream gradient 0"
    same, expanded = (next(one for one in reference.draws if one.distribution == name) for name in (ANOTHER, EXPANDED))
    assert torch.equal(same.inputs[0][0], first.inputs[0][0])
    assert not torch.equal(same.inputs[-1][0], first.inputs[-1][0])
    assert expanded.inputs[-1][0].stride() == (0, 0)
    # y * scale: the gradient of y is the upstream gradient times scale.
    assert torch.allclose(first.expected[5].framework, first.inputs[-1][0] * first.inputs[2]["scale"])


UNFIT = {
    "nothing to differentiate": ("return x.argmax(-1)", {}, "no output depends on a floating input"),
    "changed in place": ("return x.mul_(2)", {}, "gradients of what it changes in place are not judged (a leaf"),
    "as many outputs as values say": (
        "return x[x > 0]",
        {},
        "the shapes of its outputs follow from values of inputs",
    ),
    "no such input": (
        "return x * 2",
        {"overwrites": ("y",)},
        "overwrites names y, which forward of op.py does not",
    ),
}


@pytest.mark.parametrize("name", UNFIT)
def test_an_operator_without_such_gradients_says_so(name):
    body, asked, words = UNFIT[name]
    text = f"""
    class Model(nn.Module):
        def forward(self, x):
            {body}
    def get_inputs():
        return [torch.randn(5, 7)]
    """
    with pytest.raises(OperatorError, match=re.escape(words)):
        reference_of(text, **asked).prepare()


BACKWARDS = {
    # name: (the gradients of a forward in float64, of which each operation must be known)
    "softmax": lambda x: torch.softmax(x, -1),
    "cross entropy": lambda x: F.cross_entropy(x, torch.arange(8), ignore_index=3, label_smoothing=0.1),
    "layer norm": lambda x: F.layer_norm(x, (16,)),
    "group norm": lambda x: F.group_norm(x, 4),
    "batch norm": lambda x: F.batch_norm(x, None, None, training=True),
    "embedding": lambda x: F.embedding(torch.tensor([1, 1, 0, 7]), x, padding_idx=0),
    "attention": lambda x: F.scaled_dot_product_attention(
        *[x.reshape(1, 2, 4, 16) + i for i in range(3)], is_causal=True
    ),
    "slices and a gate": lambda x: F.silu(x[:, :8]) * x[:, 8:],
    "losses": lambda x: F.huber_loss(x, x.detach() + 1) + F.mse_loss(x, x.detach() * 2),
}


@pytest.mark.parametrize("name", BACKWARDS)
def test_backward_with_random_rounding_is_near_and_covered(name):
    given = torch.randn(8, 16, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn_like(BACKWARDS[name](given))

    def gradient():
        return torch.autograd.grad(BACKWARDS[name](given), given, upstream)[0]

    exact, rounding = gradient(), Rounding(2)
    with rounding.again():
        near = gradient()
    assert not rounding.unknown
    error = float((near - exact).abs().max() / exact.abs().max())
    assert 1e-10 < error < 1e-5, error


def test_parts_of_a_call_are_told_with_their_intervals():
    both = Timing({}, "eager", 3e-5, 6e-5, 2.0, (1.9, 2.1), "faster", 9, 0.1, "a cpu")
    forward = replace(both, seconds=1e-5, baseline_seconds=1e-5, speedup=1.0, interval=(0.98, 1.02), call="same")
    (found,) = in_parts(Timed(4, [both]), Timed(4, [forward]))
    assert (found.seconds, list(found.parts)) == (3e-5, ["forward", "backward"])
    backward = found.parts["backward"]
    assert (backward.seconds, backward.baseline_seconds) == pytest.approx((2e-5, 5e-5))
    assert backward.speedup == pytest.approx(2.5) and backward.call == "faster"
    assert backward.interval == pytest.approx((1.9 * 1.5 - 1.02 / 2, 2.1 * 1.5 - 0.98 / 2))
    # Forward alone took longer than both: nothing can be said of backward.
    (found,) = in_parts(Timed(4, [both]), Timed(4, [replace(forward, seconds=4e-5)]))
    assert list(found.parts) == ["forward"]


@pytest.mark.parametrize(
    ("name", "place"),
    [
        pytest.param("rms_norm_cpp", "cpu", marks=pytest.mark.thorough),
        pytest.param("softmax_by_method_cpp", "cpu", marks=pytest.mark.thorough),
        pytest.param("rms_norm_triton", "gpu", marks=pytest.mark.gpu),
        pytest.param("softmax_by_method_triton", "gpu", marks=pytest.mark.gpu),
    ],
)
def test_forward_and_backward_are_timed(bench, name, place):
    large = {} if place == "cpu" else {"cases": ({"rows": 2048, "width": 4096},)}
    found = judged(
        bench, KERNELS[name], text_of(name), (), place, time=True, baselines=("eager", "torch.compile"), **large
    )
    assert found.passed, (found.message, found.log)
    if not found.timing:
        assert re.search("too busy|too short", found.absent["timing"])
        return
    assert {one.baseline for one in found.timing} <= {"eager", "torch.compile"}
    for one in found.timing:
        assert 0 < one.seconds < 1
        assert one.parts["forward"].seconds > 0 if one.parts else any("together only" in w for w in found.warnings)
