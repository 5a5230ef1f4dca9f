"""What a call does to inputs, parameters and buffers must be what the operator does to them."""

import pytest
from judging import DEVICES, target_of

from akgflow.terms import Status

HEAD = "import torch\nimport torch.nn as nn\n\n"
TAIL = "\n\ndef get_inputs():\n    return [{inputs}]\n\ndef get_init_inputs():\n    return []\n"
MODEL = """
class {name}(nn.Module):
    def __init__(self):
        super().__init__()
{parts}

    def forward(self, {args}):
{body}
"""


def text(name, parts, args, body):
    one, two = ("\n".join(" " * 8 + line for line in lines.split("; ")) for lines in (parts or "pass", body))
    return MODEL.format(name=name, parts=one, args=args, body=two)


OPERATORS = {
    "adds": ("", "x, y", "return x.add_(y)", "torch.rand(9, 31), torch.rand(9, 31)"),
    "adds to half": ("", "x, y", "x[:, :15].add_(y); return x.sum(1)", "torch.rand(9, 31), torch.rand(9, 15)"),
    "cuts": ("", "x", "torch.relu_(x); return x * 2", "torch.rand(9, 31)"),
    "trains": (
        "self.n = nn.BatchNorm1d(6)",
        "x",
        "return self.n(x)",
        "torch.rand(40, 6)",
    ),
    "counts": (
        "self.register_buffer('total', torch.zeros(31))",
        "x",
        "self.total += x.sum(0); return self.total * 1",
        "torch.rand(9, 31)",
    ),
    "knows its mean": (
        "self.register_buffer('running_mean', torch.zeros(31))",
        "x",
        "return x - self.running_mean",
        "torch.rand(9, 31)",
    ),
}
STATISTICS = (
    "n = self.n; var, mean = torch.var_mean(x, 0, correction=0); y = (x - mean) / torch.sqrt(var + 1e-5); "
    "y = y * n.weight + n.bias"
)

WRONG, REFUSED, PASSED = Status.INCORRECT_NUMERICAL, Status.REFUSED, Status.PASSED
CANDIDATES = {
    "adds in another order": ("adds", "x.copy_(y + x); return x", PASSED, ""),
    "gives a copy of what it changed": ("adds", "x.add_(y); return x.clone()", PASSED, ""),
    "leaves it": ("adds", "return x + y", WRONG, "input 0 after the call at ["),
    "changes the other too": ("adds", "x.add_(y); y.zero_(); return x", REFUSED, "only input 0 may change"),
    "changes the other instead": ("adds", "return y.add_(x)", REFUSED, "only input 0 may change"),
    "writes half precision": ("adds", "x.copy_((x + y).half()); return x", WRONG, "output 0"),
    "spoils the other half": (
        "adds to half",
        "x[:, :15].add_(y); s = x.sum(1); x[:, 15:] = 0; return s",
        WRONG,
        "input 0 after the call at [",
    ),
    "cuts by hand": ("cuts", "x.copy_(torch.where(x > 0, x, 0.0)); return x + x", PASSED, ""),
    "cuts a copy": ("cuts", "return x.clamp(min=0) * 2", WRONG, "input 0 after the call"),
    "moves statistics": (
        "trains",
        STATISTICS + "; n.running_mean.lerp_(mean, 0.1); n.running_var.lerp_(x.var(0), 0.1); "
        "n.num_batches_tracked += 1; return y",
        PASSED,
        "",
    ),
    "puts new statistics there": (
        "trains",
        STATISTICS + "; n.running_mean = 0.9 * n.running_mean + 0.1 * mean; "
        "n.running_var = 0.9 * n.running_var + 0.1 * x.var(0); n.num_batches_tracked += 1; return y",
        PASSED,
        "",
    ),
    "leaves statistics": ("trains", STATISTICS + "; return y", PASSED, ""),
    "moves them by another variance": (
        "trains",
        STATISTICS + "; n.running_var.lerp_(var * 1.1, 0.1); return y",
        WRONG,
        "buffer n.running_var after the call",
    ),
    "counts as it should": ("counts", "self.total.add_(x.sum(0)); return self.total.clone()", PASSED, ""),
    "counts wrongly": (
        "counts",
        "t = self.total + x.sum(0); self.total.add_(1); return t",
        WRONG,
        "buffer total after",
    ),
    "moves what stays": (
        "knows its mean",
        "y = x - self.running_mean; self.running_mean += 1; return y",
        REFUSED,
        "changed the buffer running_mean",
    ),
}
WARNED = ("leaves statistics", "moves them by another variance")


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", CANDIDATES)
def test_what_is_left_behind_counts(bench, name, device):
    operator, body, status, words = CANDIDATES[name]
    parts, args, reference, inputs = OPERATORS[operator]
    asked = HEAD + text("Model", parts, args, reference) + TAIL.format(inputs=inputs)
    verdict = bench.judge(HEAD + text("ModelNew", parts, args, body), asked, target=target_of(device))
    assert verdict.status is status, verdict.message
    assert words in verdict.message
    assert any("the operator updates" in one for one in verdict.warnings) == (name in WARNED)
