"""What is found for an operator: relevant kernels in its language, different ones, and nothing that is unrelated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from known import entry, features, operator, shipped, timed

from akgflow.features import OperatorFeatures
from akgflow.knowledge import FLOOR, Entry, Lesson, Query, Store, examples, lessons, seeds, structure
from akgflow.terms import Evidence

SOFTMAX, GEMM = shipped("softmax_generate", "softmax.py"), shipped("gemm_migrate", "gemm.py")
WRITTEN_OUT = operator("e = (x - x.amax(1, True)).exp(); return e / e.sum(1, True)")
LAYERNORM = operator("return F.layer_norm(x, (256,))")


def query(reference: str, dsl: str = "cpp", target: str = "cpu", **more: object) -> Query:
    found = Query(reference, features(reference), dsl, target, "cpu")
    return replace(found, **more)  # type: ignore[arg-type]


@pytest.fixture
def store(knowledge: Path) -> Store:
    """The kernels of the shipped tasks."""
    made = Store(knowledge)
    made.add(entry("softmax_generate", *SOFTMAX))
    made.add(entry("gemm_migrate", *GEMM))
    return made


@pytest.mark.parametrize(
    ("forward", "shape", "init", "wanted"),
    [
        # The same loops over rows with another first step.
        ("return F.softmax(x / 8.0, dim=-1)", "64, 256", "pass", ["softmax_generate"]),
        # The same loops over rows with another last step.
        ("return F.log_softmax(x, dim=1)", "64, 256", "pass", ["softmax_generate"]),
        # The same product with another epilogue, with none, and through a module.
        ("return F.gelu(x @ x.t())", "64, 256", "pass", ["gemm_migrate"]),
        ("return torch.mm(x, x.t())", "64, 64", "pass", ["gemm_migrate"]),
        ("return torch.sigmoid(self.fc(x)) * 2", "64, 256", "self.fc = nn.Linear(256, 99)", ["gemm_migrate"]),
        # What shares nothing that decides how a kernel is built.
        ("return x.cumsum(1)", "64, 256", "pass", []),
        ("return F.max_pool2d(x, 2)", "2, 3, 64, 64", "pass", []),
        ("return self.conv(x)", "2, 3, 64, 64", "self.conv = nn.Conv2d(3, 8, 3)", []),
        ("return x.topk(3)[0]", "64, 256", "pass", []),
        ("return x.tril()", "64, 256", "pass", []),
        ("return torch.tanh(x) * 3 + 1", "64, 256", "pass", []),
    ],
)
def test_a_related_operator_finds_a_kernel_and_an_unrelated_one_nothing(
    store: Store, forward: str, shape: str, init: str, wanted: list[str]
) -> None:
    found = examples(store, query(operator(forward, shape, init)), 3)
    assert [one.entry.task for one in found] == wanted
    assert all(one.score >= FLOOR for one in found)


@pytest.mark.parametrize(
    "same",
    [
        SOFTMAX[0],
        f"# mine\n{SOFTMAX[0]}",
        SOFTMAX[0].replace("def get_inputs", "ROWS = 3\n\n\ndef get_inputs"),
        WRITTEN_OUT,
        operator("return F.softmax(x, dim=-1)", "3, 7"),
    ],
    ids=["text", "comment", "inputs", "graph", "shape"],
)
@pytest.mark.parametrize("known", [True, False], ids=["traced", "not traced"])
def test_a_kernel_of_the_operator_itself_is_an_example_only_where_it_is_asked_for(
    store: Store, same: str, known: bool
) -> None:
    asked = query(same)
    if not known:
        if same in (WRITTEN_OUT, operator("return F.softmax(x, dim=-1)", "3, 7")):
            pytest.skip("nothing but its graph says that it is the same")
        asked = replace(asked, features=OperatorFeatures(unknown="not traced"))
    assert examples(store, asked, 3) == []
    found = examples(store, replace(asked, same_operator=True), 3)
    assert _tasks(found) == ["softmax_generate"]  # type: ignore[arg-type]


def test_structure_is_symmetric_and_one_for_the_same_graph() -> None:
    texts = [SOFTMAX[0], GEMM[0], WRITTEN_OUT, LAYERNORM]
    for one in texts:
        assert structure(features(one), features(one)) == 1.0
        for other in texts:
            assert structure(features(one), features(other)) == structure(features(other), features(one))


@pytest.mark.parametrize(
    "changes",
    [{"dsl": "triton"}, {"platform": "cuda", "target": "nvidia_h200"}, {"trust": "imported"}],
    ids=lambda changes: next(iter(changes)),
)
def test_code_of_another_language_or_platform_and_claims_of_others_are_no_examples(
    knowledge: Path, changes: dict[str, object]
) -> None:
    store = Store(knowledge)
    store.add(replace(entry("softmax", *SOFTMAX), **changes))  # type: ignore[arg-type]
    assert examples(store, query(WRITTEN_OUT), 3) == []
    assert seeds(store, query(SOFTMAX[0]), 3) == []


def _tasks(found: list[object]) -> list[str]:
    return [one.entry.task for one in found]  # type: ignore[attr-defined]


def test_one_kernel_for_an_operator_and_different_ones_first(store: Store) -> None:
    """Six kernels of the nearest operator do not crowd out the second nearest."""
    for number in range(5):
        store.add(entry(f"softmax_{number}", SOFTMAX[0], f"# {number}", timed(1.0 + number / 10)))
    store.add(entry("log_softmax", operator("return F.log_softmax(x, dim=1)"), "# log"))
    found = _tasks(examples(store, query(operator("return F.softmax(x / 2, dim=1)")), 3))
    assert sorted(found) == ["log_softmax", "softmax_4"]  # the fastest of one operator stands for it


def test_the_graph_comes_first_and_words_second(knowledge: Path) -> None:
    store = Store(knowledge)
    store.add(entry("softmax_by_name_only", operator("softmax = x.cumsum(1); return softmax"), "# scan"))
    store.add(entry("first", WRITTEN_OUT, "# first"))
    store.add(entry("probabilities", WRITTEN_OUT + "\nprobabilities = 1\n", "# other"))
    asked = query(SOFTMAX[0], text="probabilities", same_operator=True)
    assert _tasks(examples(store, asked, 3)) == ["probabilities", "first"]


def test_an_operator_that_cannot_be_traced_is_found_by_its_words(store: Store) -> None:
    unknown = OperatorFeatures(unknown="needs a GPU")
    near = query(SOFTMAX[0].replace("torch.softmax(x, dim=1)", "x.softmax(-1)"), features=unknown)
    assert _tasks(examples(store, near, 3)) == ["softmax_generate"]
    far = query(
        "class Model:\n    def forward(self, picture):\n        return resample(picture, angle)\n", features=unknown
    )
    assert examples(store, far, 3) == []


def test_lessons_come_from_other_languages_too(store: Store) -> None:
    def learned(dsl: str, *said: Lesson) -> Entry:
        return entry("softmax", SOFTMAX[0], f"# {dsl}", dsl=dsl, lessons=said)

    store.add(
        learned("triton", Lesson("TIMEOUT", "it did not finish"), Lesson("INCORRECT_NUMERICAL", "off", "x" * 999))
    )
    store.add(learned("cpp", Lesson("COMPILE_ERROR", "expected ';'", "a brace was left open")))
    heard = lessons(store, query(WRITTEN_OUT))
    assert [(one.dsl, one.lesson.status) for one in heard] == [
        ("cpp", "COMPILE_ERROR"),
        ("triton", "TIMEOUT"),
        ("triton", "INCORRECT_NUMERICAL"),
    ]
    assert heard[0].lesson.text == "a brace was left open"
    assert len(heard[2].lesson.text) == 240
    assert lessons(store, query(operator("return x.cumsum(1)"))) == []


def test_a_seed_must_fit_as_it_is(store: Store) -> None:
    """The same reference, or one that is built and called alike with the same graph; the fastest first."""
    store.add(entry("faster", SOFTMAX[0], "# faster", timed(3.0)))
    renamed = SOFTMAX[0].replace('"""Softmax over dimension 1', '"""Rows')
    assert _tasks(seeds(store, query(renamed), 5)) == ["faster", "softmax_generate"]
    same_graph = operator("return F.softmax(x, dim=1)").replace(
        "    def __init__(self):\n        super().__init__()\n        pass\n\n", ""
    )
    assert _tasks(seeds(store, query(same_graph), 5)) == ["faster", "softmax_generate"]
    assert seeds(store, query(operator("return F.log_softmax(x, dim=1)")), 5) == []


def test_evidence_and_speed_decide_between_equals(knowledge: Path) -> None:
    store = Store(knowledge)
    interpreted = replace(timed(1.0), evidence=(Evidence.INTERPRETED,), timing=())
    store.add(entry("interpreted", SOFTMAX[0], "a = x", interpreted))
    store.add(entry("slow", SOFTMAX[0], "b = x", timed(0.7)))
    store.add(entry("fast", SOFTMAX[0], "c = x", timed(2.0)))
    assert _tasks(seeds(store, query(SOFTMAX[0]), 3)) == ["fast", "slow", "interpreted"]
