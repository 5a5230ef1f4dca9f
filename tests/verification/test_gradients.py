"""Gradients are judged like outputs: honest kernels pass forward and backward, and their faults in them are named."""

import re
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F
from operator_texts import operator
from sampling import sampled

from akgflow.operators.backward import Backward
from akgflow.operators.text import whole
from akgflow.terms import Evidence
from akgflow.verdict import Timing
from akgflow.verification.judge.resources.memory_plan import DoesNotFit, Room, plan
from akgflow.verification.judge.timing.summary import Timed, in_parts
from akgflow.verification.reference.operator import OperatorError, make_case
from akgflow.verification.reference.reference import Reference
from akgflow.verification.reference.special.gradients import ANOTHER, EXPANDED
from akgflow.verification.reference.tracing.footprint import footprint_of
from akgflow.verification.reference.tracing.rounding import Rounding

CANDIDATES = Path(__file__).with_name("candidates")
EVIDENCE = {"cpp": Evidence.EXECUTED, "triton": Evidence.INTERPRETED}


def init(*values):
    return f"\n\ndef get_init_inputs():\n    return {list(values)}\n"


OPERATORS = {
    "rms_norm": operator("""
        class Model(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.weight = nn.Parameter(torch.ones(width))
            def forward(self, x):
                return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight
        ROWS = 33
        def get_inputs():
            return [torch.randn(ROWS, 70)]
    """, init(70)),
    "layer_norm": operator("""
        class Model(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.norm = nn.LayerNorm(width)
            def forward(self, x):
                return self.norm(x)
        def get_inputs():
            return [torch.randn(37, 50)]
    """, init(50)),
    "swiglu": operator("""
        class Model(nn.Module):
            def forward(self, a, b):
                return F.silu(a) * b
        def get_inputs():
            return [torch.randn(23, 150), torch.randn(23, 150)]
    """),
    "geglu": operator("""
        class Model(nn.Module):
            def forward(self, a, b):
                return F.gelu(a, approximate="tanh") * b
        def get_inputs():
            return [torch.randn(23, 150), torch.randn(23, 150)]
    """),
    "cross_entropy": operator("""
        class Model(nn.Module):
            def forward(self, logits, target):
                return F.cross_entropy(logits, target)
        def get_inputs():
            return [torch.randn(40, 100), torch.randint(0, 100, (40,))]
    """),
    "embedding": operator("""
        class Model(nn.Module):
            def __init__(self, rows, width):
                super().__init__()
                self.table = nn.Embedding(rows, width)
            def forward(self, ids):
                return self.table(ids)
        def get_inputs():
            return [torch.randint(0, 40, (7, 19))]
    """, init(40, 24)),
    "softmax": operator("""
        class Model(nn.Module):
            def forward(self, x):
                return torch.softmax(x, -1)
        def get_inputs():
            return [torch.randn(40, 100)]
    """),
    "rope": operator("""
        class Model(nn.Module):
            def __init__(self, length, width):
                super().__init__()
                angles = torch.arange(length)[:, None] * 100.0 ** (-torch.arange(0, width, 2) / width)
                self.register_buffer("cos", angles.cos())
                self.register_buffer("sin", angles.sin())
            def forward(self, x):
                one, other = x.chunk(2, -1)
                return torch.cat([one * self.cos - other * self.sin, other * self.cos + one * self.sin], -1)
        def get_inputs():
            return [torch.randn(2, 3, 17, 20)]
    """, init(17, 20)),
    "attention": operator("""
        class Model(nn.Module):
            def forward(self, q, k, v):
                return F.scaled_dot_product_attention(q, k, v, is_causal=True)
        def get_inputs():
            return [torch.randn(1, 2, 33, 16) for _ in range(3)]
    """),
    "linear_cross_entropy": operator("""
        class Model(nn.Module):
            def __init__(self, width, classes):
                super().__init__()
                self.head = nn.Linear(width, classes, bias=False)
            def forward(self, x, target):
                return F.cross_entropy(self.head(x), target)
        def get_inputs():
            return [torch.randn(40, 24), torch.randint(0, 60, (40,))]
    """, init(24, 60)),
}  # fmt: skip


class Kernel(NamedTuple):
    """A candidate and the operator that it answers; ``overwrites`` is what the task lets it overwrite."""

    operator: str
    dsl: str
    overwrites: tuple[str, ...] = ()


KERNELS = {
    "rms_norm_cpp": Kernel("rms_norm", "cpp"),
    "swiglu_triton": Kernel("swiglu", "triton"),
    "softmax_by_method_cpp": Kernel("softmax", "cpp"),
    "cross_entropy_in_place_triton": Kernel("cross_entropy", "triton", ("logits",)),
    "layer_norm_triton": Kernel("layer_norm", "triton"),
    "geglu_cpp": Kernel("geglu", "cpp"),
    "embedding_cpp": Kernel("embedding", "cpp"),
    "rope_triton": Kernel("rope", "triton"),
    "attention_cpp": Kernel("attention", "cpp"),
    "linear_cross_entropy_cpp": Kernel("linear_cross_entropy", "cpp"),
}


class Fault(NamedTuple):
    """A fault: the kernel, the words that are exchanged in it, and what the verdict must be and say."""

    kernel: str
    right: str
    wrong: str
    status: str
    message: str


VALUES = "INCORRECT_NUMERICAL"
FAULTS = {
    "only the last row": Fault(
        "rms_norm_cpp", "at(dw)[c] += G", "at(dw)[c] = G", VALUES, "the gradient of parameter weight"
    ),
    "the mean's term is missing": Fault(
        "rms_norm_cpp", " - X[i] * mean)", ")", VALUES, "the gradient of input x at ["
    ),
    "stale: kept on the module": Fault(
        "rms_norm_cpp",
        "rows, weight, root = ctx.saved_tensors",
        "_, weight, root = ctx.saved_tensors\n        rows = KEPT[-1]",
        VALUES,
        "kept for each call of forward",
    ),
    "right for upstream ones only": Fault(
        "cross_entropy_in_place_triton", "factor = tl.load(upstream)", "factor = 1.0", VALUES,
        "the gradient of input logits",
    ),
    "overwrites what it may not": Fault(
        "cross_entropy_in_place_triton", "", "", "REFUSED", "the call changed its input 0; inputs must stay as they are"
    ),
    "detached": Fault(
        "swiglu_triton", "return SwiGLU.apply(a, b)", "return SwiGLU.apply(a, b).detach()", "INVALID",
        "output 0 has no gradient: it was computed outside of autograd",
    ),
    "no gradient for one input": Fault(
        "swiglu_triton", "return da, db", "return da, None", "INVALID", "the gradient of input b is missing"
    ),
    "a term of the slope is missing": Fault(
        "swiglu_triton", "(s + x * s * (1 - s))", "s", VALUES, "the gradient of input a at ["
    ),
    "PyTorch's own autograd": Fault(
        "geglu_cpp",
        "return GEGLU.apply(a, b)",
        'return torch.nn.functional.gelu(a, approximate="tanh") * b',
        "FALLBACK",
        "did the work",
    ),
    "strides of the upstream gradient": Fault(
        "softmax_by_method_cpp", "grads[0].contiguous()", "grads[0]", VALUES, "the gradient of input x"
    ),
    "a key of the dict": Fault(
        "softmax_by_method_cpp", '{"x": dx}', '{"input": dx}', "INVALID", "has no tensor for x"
    ),
    "kept from forward to the method": Fault(
        "softmax_by_method_cpp",
        "return out\n\n    def backward(self, grads, inputs, outputs):",
        "self.out = out\n        return out\n\n"
        "    def backward(self, grads, inputs, outputs):\n        outputs = [self.out]",
        VALUES,
        "kept for each call of forward",
    ),
    "the first block of rows only": Fault(
        "layer_norm_triton", "for start in range(0, rows, BLOCK)", "for start in range(0, 32, BLOCK)", VALUES,
        "the gradient of parameter norm.",
    ),
    "the mean of the gradients is missing": Fault(
        "layer_norm_triton", "g - first - values", "g - values", VALUES, "the gradient of input x at ["
    ),
    "right for the first two calls": Fault(
        "embedding_cpp", "return Embedding.apply(ids, self.table.weight)",
        "self.calls = getattr(self, 'calls', 0) + 1\n"
        "        return Embedding.apply(ids if self.calls <= 2 else ids.flip(0), self.table.weight)",
        VALUES, "right at first and wrong on call",
    ),
    "a row that is looked up twice": Fault(
        "embedding_cpp", "+= G[i * width", "= G[i * width", VALUES, "the gradient of parameter table.weight"
    ),
    "rotated the same way": Fault(
        "rope_triton", "sin.contiguous(), -1.0)", "sin.contiguous(), 1.0)", VALUES, "the gradient of input x at ["
    ),
    "the scale of the keys' gradient": Fault(
        "attention_cpp", "at(dk)[other + c] += ds", "at(dk)[other + c] += ds / scale", VALUES,
        "the gradient of input k at [",
    ),
    "the upstream gradient forgotten": Fault(
        "linear_cross_entropy_cpp", "for one in ctx.saved_tensors:", "for one in ctx.saved_tensors[:1]:", VALUES,
        "the gradient of parameter head.weight",
    ),
    "half of the gelu": Fault(
        "geglu_cpp", " * (1 + 3 * C * x * x)", "", VALUES, "the gradient of input a at ["
    ),
}  # fmt: skip


def text_of(name):
    return (CANDIDATES / f"{name}.py").read_text(encoding="utf-8")


def judged(bench, kernel, text, overwrites=(), **changes):
    asked = whole(OPERATORS[kernel.operator], {}, None, Backward(overwrites))
    return bench.judge(text, asked, toolchain=kernel.dsl, evidence=(EVIDENCE[kernel.dsl],), **changes)


@pytest.mark.parametrize("name", sampled(KERNELS, "rms_norm_cpp", "cross_entropy_in_place_triton"))
def test_an_honest_kernel_passes_forward_and_backward(bench, name):
    kernel = KERNELS[name]
    found = judged(bench, kernel, text_of(name), kernel.overwrites)
    assert found.passed, (found.message, found.log)
    assert "gradients, too" in found.message
    asked = {one.distribution for one in found.correctness.cases}
    assert "other upstream gradients" in asked
    assert kernel.operator.endswith("cross_entropy") or "expanded upstream gradients" in asked


@pytest.mark.parametrize(
    "name", sampled(FAULTS, "only the last row", "stale: kept on the module", "right for upstream ones only")
)
def test_a_fault_is_named(bench, name):
    fault = FAULTS[name]
    kernel, text = KERNELS[fault.kernel], text_of(fault.kernel)
    assert fault.right in text
    wrong = text.replace(fault.right, fault.wrong)
    if "KEPT" in wrong:
        wrong = (
            wrong.replace("ctx.save_for_backward(", "KEPT.append(rows)\n        ctx.save_for_backward(")
            + "\nKEPT = []\n"
        )
    found = judged(bench, kernel, wrong, () if not fault.right else kernel.overwrites)
    assert found.status == fault.status, (found.message, found.log)
    assert fault.message in found.message


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


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["rms_norm_cpp", "softmax_by_method_cpp"])
def test_forward_and_backward_are_timed(bench, name):
    found = judged(bench, KERNELS[name], text_of(name), time=True, baselines=("eager", "torch.compile"))
    assert found.passed, (found.message, found.log)
    if not found.timing:
        assert re.search("too busy|too short", found.absent["timing"])
        return
    assert {one.baseline for one in found.timing} <= {"eager", "torch.compile"}
    for one in found.timing:
        assert 0 < one.seconds < 1
        assert one.parts["forward"].seconds > 0 if one.parts else any("together only" in w for w in found.warnings)
