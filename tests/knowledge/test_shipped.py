"""The kernels that ship with akgflow: judged right, each the file that the benchmark judges; read beside a store."""

from __future__ import annotations

from pathlib import Path

import pytest
from known import entry, features, operator, timed

from akgflow.knowledge import Query, Shipped, Store, Stores, examples, seeds, why_not
from akgflow.models.sizes import estimate_tokens

KERNELS = Path(__file__).parents[2] / "benchmarks" / "cpp"
MATMUL = operator("return x @ x.T")


def query(text: str) -> Query:
    return Query(text, features(text), "cpp", "cpu", "cpu")


def test_every_kernel_of_the_benchmark_ships_with_the_verdict_of_its_present_text() -> None:
    shipped = Shipped().entries()
    assert {one.source for one in shipped if one.dsl == "cpp"} == {file.read_text() for file in KERNELS.glob("*/*.py")}
    assert {one.trust for one in shipped} == {"shipped"}
    assert [why_not(one.verdict) for one in shipped] == [""] * len(shipped)
    assert all(one.features.primitives for one in shipped)


def test_the_budget_of_examples_holds_each_of_them() -> None:
    assert max(estimate_tokens(one.source) for one in Shipped().entries()) < 6_000


@pytest.mark.parametrize(
    ("forward", "wanted"),
    [
        ("return F.gelu(x @ x.T) * 2", "matmul_gelu"),
        ("return torch.softmax(x * 3 + 1, dim=-1)", "softmax"),
        ("return torch.cumsum(x * 2, dim=1)", "cumsum"),
    ],
)
def test_a_similar_operator_is_shown_one_of_them(forward: str, wanted: str) -> None:
    found = examples(Stores((Shipped(),)), query(operator(forward)), 3)
    assert wanted in [one.entry.task for one in found]


def test_one_s_own_kernel_stands_beside_them_and_none_answers_its_own_operator(knowledge: Path) -> None:
    own = Store(knowledge)
    own.add(entry("mine", operator("return torch.relu(x @ x.T)"), "# mine", timed(3.0)))
    both = Stores((own, Shipped()))
    found = [one.entry.task for one in examples(both, query(operator("return torch.sigmoid(x @ x.T)")), 3)]
    assert "mine" in found and len(found) > 1
    (softmax,) = (one for one in Shipped().entries() if one.task == "softmax")
    assert "softmax" not in [one.entry.task for one in examples(both, query(softmax.operator), 5)]
    assert seeds(both, query(softmax.operator), 2)[0].entry.id == softmax.id


def test_nothing_is_added_to_them() -> None:
    with pytest.raises(Exception, match="read only"):
        Shipped().add(entry("mine", MATMUL))
