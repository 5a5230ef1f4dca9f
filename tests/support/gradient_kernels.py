"""Operators whose gradients are judged, at any size, with right kernels for them and faults in these kernels."""

from pathlib import Path
from typing import NamedTuple

from operator_texts import operator

from akgflow.operators.backward import Backward
from akgflow.operators.text import whole

CANDIDATES = Path(__file__).parents[1] / "verification" / "candidates"


def sized(text, *names):
    """An operator whose ``get_init_inputs`` gives the values of the sizes ``names``: words such as ``width=70``."""
    given = ", ".join(one.split("=")[0] for one in names)
    return operator(text, f"\n\ndef get_init_inputs({', '.join(names)}):\n    return [{given}]\n")


OPERATORS = {
    "rms_norm": sized("""
        class Model(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.weight = nn.Parameter(torch.ones(width))
            def forward(self, x):
                return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight
        def get_inputs(rows=33, width=70):
            return [torch.randn(rows, width)]
    """, "width=70"),
    "layer_norm": sized("""
        class Model(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.norm = nn.LayerNorm(width)
            def forward(self, x):
                return self.norm(x)
        def get_inputs(rows=37, width=50):
            return [torch.randn(rows, width)]
    """, "width=50"),
    "swiglu": sized("""
        class Model(nn.Module):
            def forward(self, a, b):
                return F.silu(a) * b
        def get_inputs(rows=23, width=150):
            return [torch.randn(rows, width), torch.randn(rows, width)]
    """),
    "geglu": sized("""
        class Model(nn.Module):
            def forward(self, a, b):
                return F.gelu(a, approximate="tanh") * b
        def get_inputs(rows=23, width=150):
            return [torch.randn(rows, width), torch.randn(rows, width)]
    """),
    "cross_entropy": sized("""
        class Model(nn.Module):
            def forward(self, logits, target):
                return F.cross_entropy(logits, target)
        def get_inputs(rows=40, classes=100):
            return [torch.randn(rows, classes), torch.randint(0, classes, (rows,))]
    """),
    "embedding": sized("""
        class Model(nn.Module):
            def __init__(self, rows, width):
                super().__init__()
                self.table = nn.Embedding(rows, width)
            def forward(self, ids):
                return self.table(ids)
        def get_inputs(batch=7, length=19, rows=40):
            return [torch.randint(0, rows, (batch, length))]
    """, "rows=40", "width=24"),
    "softmax": sized("""
        class Model(nn.Module):
            def forward(self, x):
                return torch.softmax(x, -1)
        def get_inputs(rows=40, width=100):
            return [torch.randn(rows, width)]
    """),
    "rope": sized("""
        class Model(nn.Module):
            def __init__(self, length, width):
                super().__init__()
                angles = torch.arange(length)[:, None] * 100.0 ** (-torch.arange(0, width, 2) / width)
                self.register_buffer("cos", angles.cos())
                self.register_buffer("sin", angles.sin())
            def forward(self, x):
                one, other = x.chunk(2, -1)
                return torch.cat([one * self.cos - other * self.sin, other * self.cos + one * self.sin], -1)
        def get_inputs(batch=2, heads=3, length=17, width=20):
            return [torch.randn(batch, heads, length, width)]
    """, "length=17", "width=20"),
    "attention": sized("""
        class Model(nn.Module):
            def forward(self, q, k, v):
                return F.scaled_dot_product_attention(q, k, v, is_causal=True)
        def get_inputs(heads=2, length=33, width=16):
            return [torch.randn(1, heads, length, width) for _ in range(3)]
    """),
    "linear_cross_entropy": sized("""
        class Model(nn.Module):
            def __init__(self, width, classes):
                super().__init__()
                self.head = nn.Linear(width, classes, bias=False)
            def forward(self, x, target):
                return F.cross_entropy(self.head(x), target)
        def get_inputs(rows=40, width=24, classes=60):
            return [torch.randn(rows, width), torch.randint(0, classes, (rows,))]
    """, "width=24", "classes=60"),
    "adamw": sized("""
        class Model(nn.Module):
            def __init__(self, rate=1e-2, betas=(0.9, 0.99), eps=1e-8, decay=0.1):
                super().__init__()
                self.rate, self.betas, self.eps, self.decay = rate, betas, eps, decay
            @torch.no_grad()
            def forward(self, p, g, m, v, step):
                beta1, beta2 = self.betas
                p.mul_(1 - self.rate * self.decay)
                m.lerp_(g, 1 - beta1)
                v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
                root = (v / (1 - beta2**step)).sqrt().add_(self.eps)
                p.addcdiv_(m, root, value=-self.rate / (1 - beta1**step))
        def get_inputs(rows=30, width=70):
            p, g, m = (torch.randn(rows, width) for _ in range(3))
            return [p, g, m, torch.rand(rows, width), 3]
    """),
}  # fmt: skip


class Kernel(NamedTuple):
    """A candidate and the operator that it answers; ``overwrites`` is what the task lets it overwrite."""

    operator: str
    dsl: str
    overwrites: tuple[str, ...] = ()

    @property
    def backward(self) -> bool:
        """Whether there are gradients to judge: an optimiser's step has none."""
        return self.operator != "adamw"

    def asked(self, *overwrites: str) -> str:
        """The operator with what is asked of its gradients, where the task lets ``overwrites`` be overwritten."""
        return whole(OPERATORS[self.operator], {}, None, Backward(overwrites) if self.backward else None)


KERNELS = {
    "rms_norm_cpp": Kernel("rms_norm", "cpp"),
    "rms_norm_triton": Kernel("rms_norm", "triton"),
    "layer_norm_triton": Kernel("layer_norm", "triton"),
    "swiglu_triton": Kernel("swiglu", "triton"),
    "geglu_cpp": Kernel("geglu", "cpp"),
    "geglu_triton": Kernel("geglu", "triton"),
    "softmax_by_method_cpp": Kernel("softmax", "cpp"),
    "softmax_by_method_triton": Kernel("softmax", "triton"),
    "cross_entropy_triton": Kernel("cross_entropy", "triton"),
    "cross_entropy_in_place_triton": Kernel("cross_entropy", "triton", ("logits",)),
    "linear_cross_entropy_cpp": Kernel("linear_cross_entropy", "cpp"),
    "linear_cross_entropy_triton": Kernel("linear_cross_entropy", "triton"),
    "rope_triton": Kernel("rope", "triton"),
    "attention_cpp": Kernel("attention", "cpp"),
    "attention_triton": Kernel("attention", "triton"),
    "embedding_cpp": Kernel("embedding", "cpp"),
    "embedding_triton": Kernel("embedding", "triton"),
    "adamw_triton": Kernel("adamw", "triton"),
}


def text_of(name: str) -> str:
    """The text of a kernel of `KERNELS`."""
    return (CANDIDATES / f"{name}.py").read_text(encoding="utf-8")


class Fault(NamedTuple):
    """A fault: the kernel, the words that are exchanged in it, and what the verdict must be and say.

    On a device another status and other words may be right: statuses are divided by spaces, words by ``|``.
    """

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
    "the first block of parts only": Fault(
        "layer_norm_triton", "for start in range(0, count, ROWS)", "for start in range(0, ROWS, ROWS)", VALUES,
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
    "the last block of parts only": Fault(
        "rms_norm_triton", "total += tl.sum(", "total = tl.sum(", VALUES, "the gradient of parameter weight"
    ),
    "one row of each program's": Fault(
        "rms_norm_triton", "part += g * values", "part = g * values", VALUES, "the gradient of parameter weight"
    ),
    "the term of the mean is missing": Fault(
        "rms_norm_triton", "(g - values * mean)", "g", VALUES, "the gradient of input x at ["
    ),
    "stale: kept on the module, Triton": Fault(
        "rms_norm_triton",
        "rows, weight, roots = ctx.saved_tensors",
        "_, weight, roots = ctx.saved_tensors\n        rows = KEPT[-1]",
        VALUES,
        "kept for each call of forward",
    ),
    "a term of the gate's slope": Fault(
        "geglu_triton", " * (1 + 3 * 0.044715 * x * x)", "", VALUES, "the gradient of input a at ["
    ),
    "strides of the upstream gradient, Triton": Fault(
        "softmax_by_method_triton", "grads[0].contiguous()", "grads[0]", f"{VALUES} RUNTIME_ERROR",
        "the gradient of input x|past the end of upstream",
    ),
    "the row's sum forgotten": Fault(
        "softmax_by_method_triton", "y * (g - tl.sum(g * y, axis=0))", "y * g", VALUES, "the gradient of input x"
    ),
    "right for upstream ones only, not in place": Fault(
        "cross_entropy_triton", "(factor / rows)", "(1.0 / rows)", VALUES, "the gradient of input logits"
    ),
    "the class itself forgotten": Fault(
        "cross_entropy_triton", "(share - tl.where(at == y, 1.0, 0.0))", "share", VALUES, "the gradient of input logits"
    ),
    "a store in the place of an addition": Fault(
        "embedding_triton", "tl.atomic_add(", "tl.store(", f"{VALUES} RUNTIME_ERROR",
        "the gradient of parameter table.weight|programs race",
    ),
    "the keys' gradient of one block of queries": Fault(
        "attention_triton", "range(first, length, ROWS)", "range(first, first + ROWS, ROWS)", VALUES,
        "the gradient of input k at [|the gradient of input v at [",
    ),
    "the queries' own term is missing": Fault(
        "attention_triton", "p * (dp - own[:, None]) * scale", "p * dp * scale", VALUES, "the gradient of input q at ["
    ),
    "the last chunk of rows only": Fault(
        "linear_cross_entropy_triton", "add=first > 0", "add=False", VALUES, "the gradient of parameter head.weight"
    ),
    "right for upstream ones only, made in forward": Fault(
        "linear_cross_entropy_triton", "factor = tl.load(upstream)", "factor = 1.0", VALUES,
        "the gradient of input x|the gradient of parameter head.weight",
    ),
    "decay forgotten": Fault("adamw_triton", " * (1 - rate * decay)", "", VALUES, "input 0"),
    "moments of the step before": Fault(
        "adamw_triton", "tl.store(v + at, square, mask=inside)", "pass", VALUES, "input 3"
    ),
}  # fmt: skip


def wrong_text(name: str) -> str:
    """The kernel of a fault of `FAULTS`, with the fault in it."""
    fault = FAULTS[name]
    text = text_of(fault.kernel)
    assert fault.right in text, fault
    text = text.replace(fault.right, fault.wrong)
    if "KEPT" not in text:
        return text
    return text.replace("ctx.save_for_backward(", "KEPT.append(rows)\n        ctx.save_for_backward(") + "\nKEPT = []\n"
