"""Operators, and sound and unsound ways to compute them: what the bounds are tried on.

A way is a function of the parameters (attributes of the first argument) and the inputs. It computes in float32 whatever
the working dtype is, as kernels do, unless it takes that as well.
"""

import functools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy
import torch
import torch.nn.functional as F

from akgflow.precision import Contract
from akgflow.verification.reference.reference import Reference
from akgflow.verification.reference.tolerance import compare

TEXT = """
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
OPERATORS: dict[str, tuple[str, dict[str, str], str]] = {
    "matmul": ("a @ b", {"a": "24, 512", "b": "512, 20"}, "pass"),
    "matmul over 4096": ("a @ b", {"a": "16, 4096", "b": "4096, 16"}, "pass"),
    "convolution": ("self.c(x)", {"x": "2, 12, 14, 14"}, "self.c = nn.Conv2d(12, 8, 3)"),
    "layer norm": ("self.n(x)", {"x": "16, 512"}, "self.n = nn.LayerNorm(512)"),
    "layer norm far from zero": ("self.n(x)", {"x": "torch.rand(16, 512) + 30"}, "self.n = nn.LayerNorm(512)"),
    "RMS norm": ("self.n(x)", {"x": "16, 512"}, "self.n = nn.RMSNorm(512, eps=1e-6)"),
    "batch norm": ("self.n(x)", {"x": "8, 6, 20, 20"}, "self.n = nn.BatchNorm2d(6)"),
    "softmax": ("torch.softmax(x, -1)", {"x": "8, 2048"}, "pass"),
    "log softmax": ("torch.log_softmax(x, -1)", {"x": "8, 2048"}, "pass"),
    "logsumexp": ("torch.logsumexp(x, -1)", {"x": "32, 2048"}, "pass"),
    "cross entropy": ("F.cross_entropy(x, torch.arange(64))", {"x": "64, 500"}, "pass"),
    "sum": ("x.sum(-1)", {"x": "32, 4096"}, "pass"),
    "mean over 100000": ("x.mean(-1)", {"x": "8, 100_000"}, "pass"),
    "variance": ("x.var(-1)", {"x": "32, 2048"}, "pass"),
    "Euclidean norm": ("x.norm(dim=-1)", {"x": "32, 2048"}, "pass"),
    "attention": ("F.scaled_dot_product_attention(q, k, v)", dict.fromkeys("qkv", "2, 48, 32"), "pass"),
    "cumulative sum": ("torch.cumsum(x, 1)", {"x": "8, 1000"}, "pass"),
    "average pooling": ("F.avg_pool2d(x, 4)", {"x": "4, 6, 32, 32"}, "pass"),
    "gelu": ("F.gelu(x)", {"x": "64, 256"}, "pass"),
    "tanh gelu": ("F.gelu(x, approximate='tanh')", {"x": "64, 256"}, "pass"),
    "chain": ("torch.sigmoid(x) * torch.tanh(y) + x * y", {"x": "64, 256", "y": "64, 256"}, "pass"),
    "relu": ("torch.relu(x)", {"x": "64, 256"}, "pass"),
    "sigmoid": ("torch.sigmoid(x)", {"x": "64, 256"}, "pass"),
    "tanh": ("torch.tanh(x)", {"x": "64, 256"}, "pass"),
    "softplus": ("F.softplus(x)", {"x": "64, 256"}, "pass"),
    "linear": ("self.l(x)", {"x": "64, 256"}, "self.l = nn.Linear(256, 100)"),
    "smoothed loss": ("F.cross_entropy(x, torch.arange(64), label_smoothing=0.1)", {"x": "64, 1000"}, "pass"),
    "mean square": ("F.mse_loss(x, y)", {"x": "150, 700", "y": "150, 700"}, "pass"),
    "long dot": ("torch.dot(x, y)", {"x": "80_000", "y": "80_000"}, "pass"),
    "sum of products": ("(a @ b).sum()", {"a": "torch.randn(64, 512)", "b": "torch.randn(512, 48)"}, "pass"),
}


def reference(
    body: str,
    inputs: dict[str, str],
    parts: str = "pass",
    dtype: str | None = None,
    contract: Contract = Contract(),  # noqa: B008
) -> Reference:
    """A prepared reference; inputs are ``name: shape`` of torch.rand, or an expression."""
    drawn = ", ".join(one if "(" in one else f"torch.rand({one})" for one in inputs.values())
    text = TEXT.format(parts=parts, names=", ".join(inputs), body=body, inputs=drawn)
    made = Reference(text, "operator.py", {}, dtype, "cpu", contract)
    made.prepare()
    return made


@functools.cache
def prepared(operator: str, dtype: str) -> Reference:
    """The reference of one of the operators above, prepared once."""
    return reference(*OPERATORS[operator], dtype)


def refusals(made: Reference, answer: Callable[..., torch.Tensor]) -> list[str]:
    """The sentence for each draw on which ``answer(parameters, *inputs)`` is refused."""
    details = []
    state = SimpleNamespace(**{name.replace(".", "_"): tensor for name, tensor in made.state.items()})
    for draw in made.draws:
        (expected,) = draw.expected
        found = compare(answer(state, *draw.inputs), expected, 0, 1.0)
        details += [found.detail] if found.wrong else []
    return details


def in_float32(way: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """A way that widens what it reads and rounds what it writes, once."""

    def answer(state: Any, *inputs: torch.Tensor) -> torch.Tensor:
        wide = SimpleNamespace(**{name: t.float() for name, t in vars(state).items()})
        return way(wide, *(one.float() for one in inputs)).to(inputs[0].dtype)

    return answer


def exactly(made: Reference) -> Callable[..., torch.Tensor]:
    """The operator in float64, rounded once."""

    def answer(_: Any, *inputs: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = made.oracle.runner.run([one.double() for one in inputs])
        return found.to(inputs[0].dtype)

    return answer


# Sound ways: in any order, in blocks, in one pass or two, with approximations that are good to float32.


def one_by_one(a, b):
    y = torch.zeros(a.shape[0], b.shape[1])
    for k in range(a.shape[1]):
        y += a[:, k : k + 1] * b[k : k + 1]
    return y


def split_k(a, b):
    """Partial products added in a new random order, as atomics would."""
    parts = [a[:, k : k + 64] @ b[k : k + 64] for k in range(0, a.shape[1], 64)]
    return sum(parts[i] for i in torch.randperm(len(parts)))


def tf32(tensor):
    return ((tensor.contiguous().view(torch.int32) + 0x1000) & ~0x1FFF).view(torch.float32)


def three_tf32(a, b):
    """Tensor cores on both halves of each float32: what TF32 loses is multiplied as well."""
    (p, q), (r, s) = ((tf32(t), tf32(t - tf32(t))) for t in (a, b))
    return p @ r + (p @ s + q @ r)


def added_up(x):
    return torch.from_numpy(numpy.add.accumulate(x.numpy(), axis=-1)[..., -1:].copy())


def in_a_tree(x):
    """Halves added to one another, as threads of a block do."""
    while x.shape[-1] > 1:
        x = F.pad(x, (0, x.shape[-1] % 2))
        x = x[..., : x.shape[-1] // 2] + x[..., x.shape[-1] // 2 :]
    return x


def unfolded(s, x):
    y = one_by_one(s.c_weight.flatten(1), F.unfold(x, 3).transpose(0, 1).flatten(1)) + s.c_bias[:, None]
    return y.view(8, 2, 12, 12).transpose(0, 1)


def winograd(s, x):
    """F(2x2, 3x3)."""
    b = torch.tensor([[1.0, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
    g = torch.tensor([[1.0, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
    a = torch.tensor([[1.0, 1, 1, 0], [0, 1, -1, -1]])
    tiles = x.unfold(2, 4, 2).unfold(3, 4, 2)
    data, weight = b @ tiles @ b.T, g @ s.c_weight @ g.T
    product = torch.einsum("nchwij,kcij->nkhwij", data, weight)
    out = a @ product @ a.T
    return out.transpose(3, 4).reshape(x.shape[0], -1, 12, 12) + s.c_bias[:, None, None]


def by_fourier(s, x):
    frequencies = torch.einsum("nchw,kchw->nkhw", torch.fft.rfft2(x), torch.fft.rfft2(s.c_weight, x.shape[-2:]).conj())
    return torch.fft.irfft2(frequencies, x.shape[-2:])[..., :12, :12] + s.c_bias[:, None, None]


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


def two_passes(s, x):
    mean = added_up(x) / x.shape[1]
    var = added_up((x - mean).square()) / x.shape[1]
    return (x - mean) / torch.sqrt(var + 1e-5) * s.n_weight + s.n_bias


def online_softmax(x):
    most, total = _online(x)
    return torch.exp(x - most) / total


def _online(x):
    most, total = torch.full_like(x[..., :1], -torch.inf), torch.zeros_like(x[..., :1])
    for part in x.split(100, -1):
        larger = torch.maximum(most, part.amax(-1, keepdim=True))
        total = total * torch.exp2((most - larger) * 1.4426950408889634)
        total, most = total + torch.exp(part - larger).sum(-1, keepdim=True), larger
    return most, total


def logsumexp(x):
    most, total = _online(x)
    return (most + torch.log(total))[..., 0]


def cross_entropy(_, x):
    rows = torch.arange(len(x))
    return (logsumexp(x) - x[rows, rows]).mean()


def smoothed_loss(x):
    """Cross entropy from a sum of exponentials and a sum of scores, both one by one."""
    rows, total = torch.arange(len(x)), logsumexp(x)
    return (0.9 * (total - x[rows, rows]) + 0.1 * (total - added_up(x)[:, 0] / x.shape[1])).mean()


def in_lanes(x):
    """Sixteen partial sums, each one by one, as vector units make them."""
    return in_a_tree(added_up(F.pad(x, (0, -len(x) % 16)).view(-1, 16).T.contiguous())[:, 0])[0]


def six_bfloat16(a, b):
    """Three bfloat16 for each float32, and the six products that count."""
    parts = []
    for given in (a, b):
        first = given.bfloat16().float()
        second = (given - first).bfloat16().float()
        parts.append((first, second, (given - first - second).bfloat16().float()))
    (p, q, r), (s, t, u) = parts
    return p @ s + (p @ t + q @ s) + (p @ u + q @ t + r @ s)


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


def guarded_softmax(x):
    """A denominator that cannot be zero, as kernels have it whose rows may be masked."""
    weights = torch.exp(x - x.amax(-1, keepdim=True))
    return weights / (weights.sum(-1, keepdim=True) + 1e-6)


def erf(x):
    """Abramowitz and Stegun 7.1.26: wrong by 1.5e-7 at most."""
    t = 1 / (1 + 0.3275911 * x.abs())
    y = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return torch.sign(x) * (1 - y * torch.exp(-x * x))


def tanh(x):
    return 1 - 2 / (torch.exp2(2.885390081777927 * x) + 1)


def tanh_gelu(_, x):
    return 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)))


def scanned(x):
    return torch.from_numpy(numpy.add.accumulate(x.numpy(), axis=1))


def scanned_by_blocks(x):
    parts = x.view(8, 20, 50)
    return (parts.cumsum(-1) + F.pad(parts.sum(-1).cumsum(-1), (1, -1)).unsqueeze(-1)).view(8, 1000)


def variance(x):
    mean = added_up(x) / x.shape[1]
    return added_up((x - mean).square())[..., 0] / (x.shape[1] - 1)


def variance_in_one_pass(x):
    n = x.shape[1]
    return ((added_up(x * x) - added_up(x) ** 2 / n) / (n - 1))[..., 0]


def batch_norm(s, x):
    rows = x.transpose(0, 1).flatten(1)
    mean = added_up(rows) / rows.shape[1]
    var = in_a_tree((rows - mean).square()) / rows.shape[1]
    scale = s.n_weight * torch.rsqrt(var[:, 0] + 1e-5)
    return x * scale[:, None, None] + (s.n_bias - mean[:, 0] * scale)[:, None, None]


DTYPES = ("float32", "float16", "bfloat16")


class Way(NamedTuple):
    """How an operator may be computed; ``widen`` wraps it by `in_float32`; ``dtypes`` in which it can be told."""

    operator: str
    compute: Callable[..., torch.Tensor]
    widen: bool = True
    dtypes: tuple[str, ...] = DTYPES

    @property
    def answer(self) -> Callable[..., torch.Tensor]:
        """What `refusals` takes."""
        return in_float32(self.compute) if self.widen else self.compute


SOUND = {
    "one by one": Way("matmul", lambda _, a, b: one_by_one(a, b)),
    "3xTF32": Way("matmul", lambda _, a, b: three_tf32(a, b)),
    "one by one over 4096": Way("matmul over 4096", lambda _, a, b: one_by_one(a, b)),
    "split K, atomics": Way("matmul over 4096", lambda _, a, b: split_k(a, b)),
    "3xTF32 over 4096": Way("matmul over 4096", lambda _, a, b: three_tf32(a, b)),
    "unfolded": Way("convolution", unfolded),
    "Winograd F(2x2, 3x3)": Way("convolution", winograd),
    "Fourier": Way("convolution", by_fourier),
    "Welford": Way("layer norm", welford),
    "one pass": Way("layer norm", one_pass, dtypes=DTYPES[1:]),
    "two passes": Way("layer norm", two_passes),
    "Welford far from zero": Way("layer norm far from zero", welford),
    "two passes far from zero": Way("layer norm far from zero", two_passes),
    "RMS one by one": Way("RMS norm", lambda s, x: x * torch.rsqrt(added_up(x * x) / 512 + 1e-6) * s.n_weight),
    "folded": Way("batch norm", batch_norm),
    "online softmax": Way("softmax", lambda _, x: online_softmax(x)),
    "softmax, 1e-6 in its denominator": Way("softmax", lambda _, x: guarded_softmax(x)),
    "attention, 1e-6 in its denominator": Way(
        "attention", lambda _, q, k, v: guarded_softmax(q @ k.mT / q.shape[-1] ** 0.5) @ v
    ),
    "log of online softmax": Way("log softmax", lambda _, x: x - logsumexp(x)[..., None]),
    "online logsumexp": Way("logsumexp", lambda _, x: logsumexp(x)),
    "online cross entropy": Way("cross entropy", cross_entropy),
    "summed one by one": Way("sum", lambda _, x: added_up(x)[..., 0]),
    "summed in a tree": Way("sum", lambda _, x: in_a_tree(x)[..., 0]),
    "mean one by one": Way("mean over 100000", lambda _, x: added_up(x)[..., 0] / x.shape[1]),
    "mean in a tree": Way("mean over 100000", lambda _, x: in_a_tree(x)[..., 0] * (1 / x.shape[1])),
    "variance in two passes": Way("variance", lambda _, x: variance(x)),
    "variance in one pass": Way("variance", lambda _, x: variance_in_one_pass(x), dtypes=DTYPES[1:]),
    "root of squares": Way("Euclidean norm", lambda _, x: added_up(x * x)[..., 0].sqrt()),
    "flash": Way("attention", flash, widen=False),
    "scan one by one": Way("cumulative sum", lambda _, x: scanned(x)),
    "scan by blocks": Way("cumulative sum", lambda _, x: scanned_by_blocks(x)),
    "pooled one by one": Way(
        "average pooling",
        lambda _, x: added_up(F.unfold(x.flatten(0, 1)[:, None], 4, stride=4).mT).view(4, 6, 8, 8) / 16,
    ),
    "erf to float32": Way("gelu", lambda _, x: 0.5 * x * (1 + erf(x * 0.7071067811865476))),
    "tanh by exp2": Way("tanh gelu", tanh_gelu),
    "sigmoid by exp": Way("chain", lambda _, x, y: tanh(y) / (1 + torch.exp(-x)) + x * y),
    "sigmoid rounded between": Way("chain", lambda _, x, y: torch.sigmoid(x) * torch.tanh(y) + x * y, widen=False),
    "smoothed loss by sums": Way("smoothed loss", lambda _, x: smoothed_loss(x)),
    "squares one by one": Way("mean square", lambda _, x, y: added_up((x - y).square().flatten())[0] / x.numel()),
    "squares in lanes": Way("mean square", lambda _, x, y: in_lanes((x - y).square().flatten()) / x.numel()),
    "dot one by one": Way("long dot", lambda _, x, y: added_up(x * y)[0]),
    "dot in a tree": Way("long dot", lambda _, x, y: in_a_tree(x * y)[0]),
    "products added up": Way("sum of products", lambda _, a, b: added_up(one_by_one(a, b).flatten())[0]),
    "three bfloat16 for a float32": Way("sum of products", lambda _, a, b: six_bfloat16(a, b).sum()),
}


# Unsound ways: precision given away, steps left out, constants that are others.

NARROW = {
    "float16": lambda t: t.half().to(t.dtype),
    "bfloat16": lambda t: t.bfloat16().to(t.dtype),
    "TF32": lambda t: tf32(t) if t.dtype == torch.float32 else t,
}
NARROWER = {"float32": ("float16", "bfloat16", "TF32"), "float16": ("bfloat16",), "bfloat16": ()}
AVERAGED = {
    "float32": (),
    "float16": (
        "cross entropy",
        "logsumexp",
        "variance",
        "Euclidean norm",
        "mean over 100000",
        "layer norm far from zero",
        "smoothed loss",
        "mean square",
        "sum of products",
    ),
}
"""Operators whose outputs hardly show that inputs were rounded: many of them are averaged, or all lose their digits."""


def accumulated(parts):
    """Added one by one in the dtype that they have."""
    total = torch.zeros_like(parts[0])
    for part in parts:
        total = total + part
    return total


def narrow_product(_, a, b):
    return accumulated([a[:, k : k + 1] * b[k : k + 1] for k in range(a.shape[1])])


def narrow_softmax(_, x):
    weights = torch.exp(x - x.amax(-1, keepdim=True))
    return weights / accumulated(weights.unbind(-1))[..., None]


def narrow_variance(_, x):
    return accumulated((x - x.mean(-1, keepdim=True)).square().unbind(-1)) / (x.shape[-1] - 1)


# Where another constant moves outputs by less than one rounding of the dtype, nothing can be told.
UNSOUND = {
    "last step left out": Way("matmul over 4096", lambda _, a, b: a[:, :-1] @ b[:-1]),
    "last element left out": Way("sum", lambda _, x: x[:, :-1].sum(-1)),
    "last key left out": Way("attention", lambda _, q, k, v: F.scaled_dot_product_attention(q, k[:, :-1], v[:, :-1])),
    "padded by zeros": Way(
        "softmax", lambda _, x: torch.exp(x) / (torch.exp(x).sum(-1, keepdim=True) + 8), dtypes=DTYPES[:2]
    ),
    "epsilon of 1e-4": Way(
        "layer norm", lambda s, x: F.layer_norm(x, x.shape[1:], s.n_weight, s.n_bias, 1e-4), dtypes=DTYPES[:1]
    ),
    "without the epsilon's norm": Way("RMS norm", lambda s, x: x / x.abs().mean(-1, keepdim=True) * s.n_weight),
    "divided by n": Way("variance", lambda _, x: x.var(-1, correction=0), dtypes=DTYPES[:1]),
    "gelu by tanh": Way("gelu", lambda _, x: F.gelu(x, approximate="tanh"), dtypes=DTYPES[:2]),
    "gelu by sigmoid": Way("gelu", lambda _, x: x * torch.sigmoid(1.702 * x)),
    "one row for all": Way("relu", lambda _, x: torch.relu(x[:1]).expand(x.shape).contiguous()),
}
UNSOUND |= {
    "products added in 16 bits": Way("matmul over 4096", narrow_product, False, DTYPES[1:]),
    "a sum in 16 bits": Way("sum", lambda _, x: accumulated(x.unbind(-1)), False, DTYPES[1:]),
    "softmax in 16 bits": Way("softmax", narrow_softmax, False, DTYPES[1:]),
    "squares added in 16 bits": Way("variance", narrow_variance, False, DTYPES[1:]),
}


# One number made from many.

UNSOUND |= {
    "smoothed loss times 1.00005": Way("smoothed loss", lambda _, x: smoothed_loss(x) * 1.00005, dtypes=DTYPES[:1]),
    "smoothed over one class less": Way(
        "smoothed loss",
        lambda _, x: smoothed_loss(x) - 0.1 * x.mean(-1).mean() / (x.shape[1] - 1),
        dtypes=DTYPES[:1],
    ),
    "squares times 1.00005": Way(
        "mean square", lambda _, x, y: F.mse_loss(x.double(), y.double()) * 1.00005, dtypes=DTYPES[:1]
    ),
    "squares over one less": Way(
        "mean square", lambda _, x, y: (x - y).square().double().sum() / (x.numel() - 1), dtypes=DTYPES[:1]
    ),
    "dot times 1.00005": Way("long dot", lambda _, x, y: torch.dot(x, y) * 1.00005, dtypes=DTYPES[:1]),
    "TF32 before a long sum": Way("sum of products", lambda _, a, b: (tf32(a) @ tf32(b)).sum(), dtypes=DTYPES[:1]),
    "norm times 1.00005": Way("Euclidean norm", lambda _, x: x.norm(dim=-1) * 1.00005, dtypes=DTYPES[:1]),
    "logsumexp times 1.00001": Way("logsumexp", lambda _, x: logsumexp(x) * 1.00001, dtypes=DTYPES[:1]),
    "mean times 1.00005": Way("mean over 100000", lambda _, x: x.double().mean(-1) * 1.00005, dtypes=DTYPES[:1]),
}


# What overflows, or loses all digits, away from the inputs that everybody tries.


def quotient(x):
    """tanh: infinity by infinity for what is large."""
    return (torch.exp(2 * x) - 1) / (torch.exp(2 * x) + 1)


def bare_logsumexp(x):
    return torch.log(torch.exp(x).sum(-1))


def bare_cross_entropy(_, x):
    rows = torch.arange(len(x))
    return (bare_logsumexp(x) - x[rows, rows]).mean()


UNSOUND |= {
    "softmax without a maximum": Way("softmax", lambda _, x: torch.exp(x) / torch.exp(x).sum(-1, keepdim=True)),
    "log softmax without a maximum": Way("log softmax", lambda _, x: x - bare_logsumexp(x)[..., None]),
    "logsumexp without a maximum": Way("logsumexp", lambda _, x: bare_logsumexp(x)),
    "cross entropy without a maximum": Way("cross entropy", bare_cross_entropy),
    "sigmoid as a quotient": Way("sigmoid", lambda _, x: torch.exp(x) / (1 + torch.exp(x))),
    "tanh as a quotient": Way("tanh", lambda _, x: quotient(x)),
    "tanh gelu by a quotient": Way(
        "tanh gelu", lambda _, x: 0.5 * x * (1 + quotient(0.7978845608028654 * (x + 0.044715 * x * x * x)))
    ),
    "softplus as it is written": Way("softplus", lambda _, x: torch.log(1 + torch.exp(x))),
    "squares in 16 bits": Way(
        "RMS norm",
        lambda s, x: (x.float() * torch.rsqrt((x * x).float().mean(-1, keepdim=True) + 1e-6) * s.n_weight).to(x.dtype),
        False,
        DTYPES[1:2],
    ),
    "layer norm in one pass": Way("layer norm", one_pass, dtypes=DTYPES[:1]),
    "variance in one pass": Way("variance", lambda _, x: variance_in_one_pass(x), dtypes=DTYPES[:1]),
}

# A rounding to 16 bits in between, where the framework rounds results alone.


def normed(x):
    wide = x.float()
    return (wide - wide.mean(-1, keepdim=True)) * torch.rsqrt(wide.var(-1, correction=0, keepdim=True) + 1e-5)


UNSOUND |= {
    "layer norm rounded before its weight": Way(
        "layer norm", lambda s, x: normed(x).to(x.dtype) * s.n_weight + s.n_bias, False, DTYPES[1:]
    ),
    "product rounded before its bias": Way("linear", lambda s, x: x @ s.l_weight.T + s.l_bias, False, DTYPES[1:]),
    "tanh gelu in 16 bits": Way("tanh gelu", tanh_gelu, False, DTYPES[1:]),
    "log softmax rounded before its sum": Way(
        "log softmax", lambda _, x: x - torch.logsumexp(x.float(), -1, keepdim=True).to(x.dtype), False, DTYPES[1:]
    ),
}


def downgrades(made: Reference, operator: str, dtype: str) -> dict[str, Callable[..., torch.Tensor]]:
    """The operator with inputs, or the result, quietly rounded to a narrower format."""
    found: dict[str, Callable[..., torch.Tensor]] = {}
    averaged = operator in AVERAGED.get(dtype, ())
    for name in NARROWER[dtype]:
        narrow = NARROW[name]
        if dtype == "float32" or not averaged:
            found[f"result rounded to {name}"] = lambda _, *x, narrow=narrow: narrow(exactly(made)(_, *x))
        if not averaged:
            found[f"inputs rounded to {name}"] = lambda _, *x, narrow=narrow: _narrowed(made, narrow, x)
    return found


def _narrowed(made, narrow, inputs):
    return made.oracle.with_inputs(inputs, narrow)[0].to(inputs[0].dtype)
