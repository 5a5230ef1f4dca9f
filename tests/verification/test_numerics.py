"""Bounds: every sound way to compute an operator lies within them, and no quiet loss of precision does."""

from types import SimpleNamespace

import numpy
import pytest
import torch
import torch.nn.functional as F

from akgflow.verification.numerics import compare
from akgflow.verification.reference import Reference

OPERATOR = """
import torch
import torch.nn as nn
import torch.nn.functional as F

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        {parts}

    def forward(self, {names}):
        return {body}

def get_inputs():
    return [{inputs}]

def get_init_inputs():
    return []
"""


def reference(body, inputs, parts="pass", dtype=None):
    """A prepared reference; inputs are ``name: shape`` of torch.rand."""
    drawn = ", ".join(f"torch.rand({', '.join(map(str, shape))})" for shape in inputs.values())
    text = OPERATOR.format(parts=parts, names=", ".join(inputs), body=body, inputs=drawn)
    made = Reference(text, "operator.py", {}, dtype, "cpu")
    made.prepare()
    return made


def refusals(reference, answer):
    """The sentence for each draw on which ``answer(inputs, parameters)`` is refused."""
    details = []
    state = SimpleNamespace(**{name.replace(".", "_"): tensor for name, tensor in reference.state.items()})
    for draw in reference.draws:
        (expected,) = draw.expected
        found = compare(answer(state, *draw.inputs), expected, 0, 1.0)
        details += [found.detail] if found.wrong else []
    return details


MATMUL = ("a @ b", {"a": (24, 512), "b": (512, 20)}, "pass")
LONG_MATMUL = ("a @ b", {"a": (16, 4096), "b": (4096, 16)}, "pass")
CONV = ("self.c(x)", {"x": (2, 12, 14, 14)}, "self.c = nn.Conv2d(12, 8, 3)")
NORM = ("self.n(x)", {"x": (16, 512)}, "self.n = nn.LayerNorm(512)")
BATCHNORM = ("self.n(x)", {"x": (8, 6, 20, 20)}, "self.n = nn.BatchNorm2d(6)")
SOFTMAX = ("torch.softmax(x, -1)", {"x": (8, 2048)}, "pass")
SUM = ("x.sum(-1)", {"x": (32, 4096)}, "pass")
ATTENTION = (
    "F.scaled_dot_product_attention(q, k, v)",
    {"q": (2, 48, 32), "k": (2, 48, 32), "v": (2, 48, 32)},
    "pass",
)
GELU = ("F.gelu(x)", {"x": (64, 256)}, "pass")
TANH_GELU = ("F.gelu(x, approximate='tanh')", {"x": (64, 256)}, "pass")
CHAIN = ("torch.sigmoid(x) * torch.tanh(y) + x * y", {"x": (64, 256), "y": (64, 256)}, "pass")
SCAN = ("torch.cumsum(x, 1)", {"x": (8, 1000)}, "pass")
RELU = ("torch.relu(x)", {"x": (64, 256)}, "pass")
OPERATORS = {
    "matmul": MATMUL,
    "matmul over 4096": LONG_MATMUL,
    "convolution": CONV,
    "layer norm": NORM,
    "batch norm": BATCHNORM,
    "softmax": SOFTMAX,
    "sum": SUM,
    "attention": ATTENTION,
    "gelu": GELU,
    "chain": CHAIN,
    "scan": SCAN,
    "relu": RELU,
}


def one_by_one(a, b):
    y = torch.zeros(a.shape[0], b.shape[1])
    for k in range(a.shape[1]):
        y += a[:, k : k + 1] * b[k : k + 1]
    return y


def split_k(a, b):
    """Partial products added in an order drawn anew, as atomics would."""
    parts = [a[:, k : k + 64] @ b[k : k + 64] for k in range(0, a.shape[1], 64)]
    return sum(parts[i] for i in torch.randperm(len(parts)))


def added_up(x):
    return torch.from_numpy(numpy.add.accumulate(x.numpy(), axis=-1)[..., -1:].copy())


def online_softmax(x):
    most, total = torch.full_like(x[..., :1], -torch.inf), torch.zeros_like(x[..., :1])
    for part in x.split(100, -1):
        larger = torch.maximum(most, part.amax(-1, keepdim=True))
        total = total * torch.exp2((most - larger) * 1.4426950408889634)
        total, most = total + torch.exp(part - larger).sum(-1, keepdim=True), larger
    return torch.exp(x - most) / total


def welford(s, x):
    mean, square = torch.zeros_like(x[:, :1]), torch.zeros_like(x[:, :1])
    for i in range(x.shape[1]):
        step = x[:, i : i + 1] - mean
        mean = mean + step / (i + 1)
        square = square + step * (x[:, i : i + 1] - mean)
    return (x - mean) * torch.rsqrt(square / x.shape[1] + 1e-5) * s.n_weight + s.n_bias


def one_pass(s, x):
    mean = added_up(x) / x.shape[1]
    return (x - mean) * torch.rsqrt(added_up(x * x) / x.shape[1] - mean * mean + 1e-5) * s.n_weight + s.n_bias


def flash(_, q, k, v):
    """Online softmax over blocks of keys, probabilities rounded to the dtype of the values."""
    q, most = q.float() / q.shape[-1] ** 0.5, -torch.inf
    total, out = 0.0, 0.0
    for keys, values in zip(k.split(16, 1), v.split(16, 1), strict=True):
        scores = q @ keys.float().mT
        larger = torch.clamp(scores.amax(-1, keepdim=True), min=most)
        weights, fade = torch.exp(scores - larger), torch.exp(most - larger)
        total, most = total * fade + weights.sum(-1, keepdim=True), larger
        out = out * fade + weights.to(v.dtype).float() @ values.float()
    return (out / total).to(v.dtype)


def erf(x):
    """Abramowitz and Stegun 7.1.26: wrong by 1.5e-7 at most."""
    t = 1 / (1 + 0.3275911 * x.abs())
    y = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return torch.sign(x) * (1 - y * torch.exp(-x * x))


def tanh(x):
    return 1 - 2 / (torch.exp2(2.885390081777927 * x) + 1)


def tanh_gelu(_, x):
    return 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)))


SOUND = {
    "one by one": (MATMUL, lambda _, a, b: one_by_one(a, b)),
    "one by one over 4096": (LONG_MATMUL, lambda _, a, b: one_by_one(a, b)),
    "atomics": (LONG_MATMUL, lambda _, a, b: split_k(a, b)),
    "unfolded": (
        CONV,
        lambda s, x: (
            (one_by_one(s.c_weight.flatten(1), F.unfold(x, 3).transpose(0, 1).flatten(1)) + s.c_bias[:, None])
            .view(8, 2, 12, 12)
            .transpose(0, 1)
        ),
    ),
    "Welford": (NORM, welford),
    "one pass": (NORM, one_pass),
    "online softmax": (SOFTMAX, lambda _, x: online_softmax(x)),
    "summed one by one": (SUM, lambda _, x: added_up(x)[..., 0]),
    "flash": (ATTENTION, flash),
    "erf to float32": (GELU, lambda _, x: 0.5 * x * (1 + erf(x * 0.7071067811865476))),
    "tanh by exp2": (TANH_GELU, tanh_gelu),
    "sigmoid by exp": (CHAIN, lambda _, x, y: tanh(y) / (1 + torch.exp(-x)) + x * y),
    "scan one by one": (SCAN, lambda _, x: torch.from_numpy(numpy.add.accumulate(x.numpy(), axis=1))),
    "scan by blocks": (
        SCAN,
        lambda _, x: (
            x.view(8, 20, 50).cumsum(-1) + F.pad(x.view(8, 20, 50).sum(-1).cumsum(-1), (1, -1)).unsqueeze(-1)
        ).view(8, 1000),
    ),
}


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_way_is_accepted(name):
    operator, answer = SOUND[name]
    assert refusals(reference(*operator), answer) == []


def exactly(made):
    """The operator in float64, rounded once."""

    def answer(_, *inputs):
        wide = [one.double() for one in inputs]
        return made.oracle.runner.run(wide).to(inputs[0].dtype)

    return answer


def tf32(tensor):
    return ((tensor.contiguous().view(torch.int32) + 0x1000) & ~0x1FFF).view(torch.float32)


NARROW = {
    "float16": lambda t: t.half().to(t.dtype),
    "bfloat16": lambda t: t.bfloat16().to(t.dtype),
    "TF32": lambda t: tf32(t) if t.dtype == torch.float32 else t,
}


@pytest.mark.parametrize("name", OPERATORS)
def test_precision_is_not_given_away_in_float32(name):
    made = reference(*OPERATORS[name])
    assert refusals(made, exactly(made)) == []
    for narrow in NARROW.values():
        assert refusals(made, lambda _, *x, narrow=narrow: made.oracle.with_inputs(x, narrow)[0].float())
        assert refusals(made, lambda _, *x, narrow=narrow: narrow(exactly(made)(_, *x)))


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("name", OPERATORS)
def test_what_is_wrong_is_wrong_in_every_dtype(name, dtype):
    made = reference(*OPERATORS[name], dtype)
    right = exactly(made)
    assert refusals(made, right) == []
    assert refusals(made, lambda _, *x: (right(_, *x) * 1.019).to(x[0].dtype))
    assert refusals(made, lambda _, *x: torch.zeros_like(right(_, *x)))

    def garbage(_, *inputs):
        got = right(_, *inputs)
        places = torch.randperm(got.numel())[: max(1, got.numel() * 19 // 1000)]
        got.view(-1)[places] = 1e30 if dtype != "float16" else 6e4
        return got

    def one_off(_, *inputs):
        got = right(_, *inputs)
        got.view(-1)[torch.randint(got.numel(), (1,))] += 0.5 * float(got.abs().float().mean()) + 0.1
        return got

    assert refusals(made, garbage)
    assert refusals(made, one_off)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_a_dropped_step_is_noticed(dtype):
    made = reference(*LONG_MATMUL, dtype)
    assert refusals(made, lambda _, a, b: (a.float()[:, :-1] @ b.float()[:-1]).to(a.dtype))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_narrow_kernels_may_keep_more_or_round_between(dtype):
    made = reference(*ATTENTION, dtype)
    assert refusals(made, flash) == []
    chain = reference(*CHAIN, dtype)
    assert refusals(chain, lambda _, x, y: torch.sigmoid(x) * torch.tanh(y) + x * y) == []
    assert (
        refusals(chain, lambda _, x, y: (torch.sigmoid(x.float()) * torch.tanh(y.float()) + x.float() * y).to(x.dtype))
        == []
    )


def test_accumulating_in_the_narrow_dtype_is_refused():
    made = reference(*MATMUL, "bfloat16")

    def narrow(_, a, b):
        y = torch.zeros(a.shape[0], b.shape[1], dtype=a.dtype)
        for k in range(a.shape[1]):
            y += a[:, k : k + 1] * b[k : k + 1]
        return y

    assert refusals(made, narrow)


def test_the_sentence_names_the_precision():
    made = reference(*MATMUL)
    (draw, *_) = made.draws
    for name, narrow in (("float16 or TF32", tf32), ("bfloat16", NARROW["bfloat16"])):
        got = made.oracle.with_inputs(draw.inputs, narrow)[0].float()
        assert made.rounding_hint(draw, [got]) == f": these are the errors of inputs rounded to {name}"
    assert made.rounding_hint(draw, [exactly(made)(None, *draw.inputs)]) == ""
    (detail, *_) = refusals(made, lambda _, a, b: (a @ b).half().float())
    assert "every value is a float16 or TF32 number" in detail
    (detail, *_) = refusals(reference(*RELU, "bfloat16"), lambda _, x: torch.relu(x) * 1.012)
    assert "together they are 1.01" in detail


def test_complex_numbers_are_pairs():
    made = reference("torch.fft.rfft(x)", {"x": (8, 100)})
    assert refusals(made, lambda _, x: torch.fft.rfft(x.double()).to(torch.complex64)) == []
    assert refusals(made, lambda _, x: torch.fft.rfft(x).conj())
    assert refusals(made, lambda _, x: torch.fft.rfft(x) * 1.0001)
