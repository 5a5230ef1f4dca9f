"""The kinds of work that an operator's text shows: those that decide how a kernel is built come first."""

from __future__ import annotations

from pathlib import Path

import pytest
from known import operator

from akgflow.operators.kinds import kinds_in

OPERATORS = Path(__file__).parents[2] / "benchmarks" / "operators"


@pytest.mark.parametrize(
    ("forward", "init", "wanted"),
    [
        ("return F.gelu(self.fc(x))", "self.fc = nn.Linear(256, 9)", ("gemm",)),
        ("return F.scaled_dot_product_attention(x, x, x)", "pass", ("attention", "gemm")),
        ("return torch.softmax(x @ x.T, -1) @ x", "pass", ("attention", "gemm", "softmax")),
        ("return self.norm(self.conv(x)).mean(1)", "self.conv, self.norm = nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3)",
         ("conv", "normalization", "reduction")),
        ("return torch.cumsum(x, 1)", "pass", ("scan",)),
        ("return torch.relu(x) * 2", "pass", ("elementwise",)),
    ],
)  # fmt: skip
def test_kinds_are_read_from_the_names_of_calls(forward: str, init: str, wanted: tuple[str, ...]) -> None:
    assert kinds_in(operator(forward, init=init)) == wanted


def test_an_operator_of_one_operation_is_of_its_folders_kind() -> None:
    wrong = {
        file.name
        for kind in ("attention", "conv", "gemm", "scan", "indexing")
        for file in (OPERATORS / kind).glob("*.py")
        if kinds_in(file.read_text())[0] != kind
    }
    assert wrong == set()


@pytest.mark.parametrize("text", ["class Model(:", "x = 1"])
def test_what_is_no_operator_has_no_kind(text: str) -> None:
    assert kinds_in(text) == ()
