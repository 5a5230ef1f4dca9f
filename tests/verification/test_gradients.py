"""Gradients are judged like outputs: honest kernels pass forward and backward, and their faulty twins are refused."""

from pathlib import Path
from typing import NamedTuple

import pytest
from operator_texts import operator
from sampling import sampled

from akgflow.operators.backward import Backward
from akgflow.operators.text import whole
from akgflow.terms import Evidence
from akgflow.verification.judge.resources.memory_plan import DoesNotFit, Room, plan
from akgflow.verification.reference.operator import make_case
from akgflow.verification.reference.tracing.footprint import footprint_of

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


class Twin(NamedTuple):
    """A faulty twin: the kernel, the words that are exchanged in it, and what the verdict must be and say."""

    kernel: str
    right: str
    wrong: str
    status: str
    message: str


VALUES = "INCORRECT_NUMERICAL"
TWINS = {
    "only the last row": Twin(
        "rms_norm_cpp", "at(dw)[c] += G", "at(dw)[c] = G", VALUES, "the gradient of parameter weight"
    ),
    "the mean's term is missing": Twin(
        "rms_norm_cpp", " - X[i] * mean)", ")", VALUES, "the gradient of input x at ["
    ),
    "stale: kept on the module": Twin(
        "rms_norm_cpp",
        "rows, weight, root = ctx.saved_tensors",
        "_, weight, root = ctx.saved_tensors\n        rows = KEPT[-1]",
        VALUES,
        "kept for each call of forward",
    ),
    "right for upstream ones only": Twin(
        "cross_entropy_in_place_triton", "factor = tl.load(upstream)", "factor = 1.0", VALUES,
        "the gradient of input logits",
    ),
    "overwrites what it may not": Twin(
        "cross_entropy_in_place_triton", "", "", "REFUSED", "the call changed its input 0; inputs must stay as they are"
    ),
    "detached": Twin(
        "swiglu_triton", "return SwiGLU.apply(a, b)", "return SwiGLU.apply(a, b).detach()", "INVALID",
        "output 0 has no gradient: it was computed outside of autograd",
    ),
    "no gradient for one input": Twin(
        "swiglu_triton", "return da, db", "return da, None", "INVALID", "the gradient of input b is missing"
    ),
    "a term of the slope is missing": Twin(
        "swiglu_triton", "(s + x * s * (1 - s))", "s", VALUES, "the gradient of input a at ["
    ),
    "PyTorch's own autograd": Twin(
        "geglu_cpp",
        "return GEGLU.apply(a, b)",
        'return torch.nn.functional.gelu(a, approximate="tanh") * b',
        "FALLBACK",
        "did the work",
    ),
    "strides of the upstream gradient": Twin(
        "softmax_by_method_cpp", "grads[0].contiguous()", "grads[0]", VALUES, "the gradient of input x"
    ),
    "a key of the dict": Twin(
        "softmax_by_method_cpp", '{"x": dx}', '{"input": dx}', "INVALID", "has no tensor for x"
    ),
    "kept from forward to the method": Twin(
        "softmax_by_method_cpp",
        "return out\n\n    def backward(self, grads, inputs, outputs):",
        "self.out = out\n        return out\n\n"
        "    def backward(self, grads, inputs, outputs):\n        outputs = [self.out]",
        VALUES,
        "kept for each call of forward",
    ),
    "the first block of rows only": Twin(
        "layer_norm_triton", "for start in range(0, rows, BLOCK)", "for start in range(0, 32, BLOCK)", VALUES,
        "the gradient of parameter norm.",
    ),
    "the mean of the gradients is missing": Twin(
        "layer_norm_triton", "g - first - values", "g - values", VALUES, "the gradient of input x at ["
    ),
    "right for the first two calls": Twin(
        "embedding_cpp", "return Embedding.apply(ids, self.table.weight)",
        "self.calls = getattr(self, 'calls', 0) + 1\n"
        "        return Embedding.apply(ids if self.calls <= 2 else ids.flip(0), self.table.weight)",
        VALUES, "right at first and wrong on call",
    ),
    "a row that is looked up twice": Twin(
        "embedding_cpp", "+= G[i * width", "= G[i * width", VALUES, "the gradient of parameter table.weight"
    ),
    "rotated the same way": Twin(
        "rope_triton", "sin.contiguous(), -1.0)", "sin.contiguous(), 1.0)", VALUES, "the gradient of input x at ["
    ),
    "the scale of the keys' gradient": Twin(
        "attention_cpp", "at(dk)[other + c] += ds", "at(dk)[other + c] += ds / scale", VALUES,
        "the gradient of input k at [",
    ),
    "the upstream gradient forgotten": Twin(
        "linear_cross_entropy_cpp", "for one in ctx.saved_tensors:", "for one in ctx.saved_tensors[:1]:", VALUES,
        "the gradient of parameter head.weight",
    ),
    "half of the gelu": Twin(
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
    "name", sampled(TWINS, "only the last row", "stale: kept on the module", "right for upstream ones only")
)
def test_a_faulty_twin_is_refused(bench, name):
    twin = TWINS[name]
    kernel, text = KERNELS[twin.kernel], text_of(twin.kernel)
    assert twin.right in text
    wrong = text.replace(twin.right, twin.wrong)
    if "KEPT" in wrong:
        wrong = (
            wrong.replace("ctx.save_for_backward(", "KEPT.append(rows)\n        ctx.save_for_backward(")
            + "\nKEPT = []\n"
        )
    found = judged(bench, kernel, wrong, () if not twin.right else kernel.overwrites)
    assert found.status == twin.status, (found.message, found.log)
    assert twin.message in found.message


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
