"""The store's file: what goes in comes out, from several processes at once, and damage is said in one sentence."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from known import VERDICT, entry, operator, timed

from akgflow import api
from akgflow.errors import ConfigError
from akgflow.knowledge import KnowledgeError, Lesson, Store, from_lines, to_lines, why_not
from akgflow.terms import Evidence, Status
from akgflow.verdict import FRAMEWORK_ALLOWED

RELU = operator("return torch.relu(x)")
ONE = entry("relu", RELU, lessons=(Lesson("COMPILE_ERROR", "expected ';'", "a semicolon was missing"),))


@pytest.fixture
def store(knowledge: Path) -> Store:
    return Store(knowledge)


def test_an_entry_comes_back_as_it_went_in(store: Store) -> None:
    assert store.entries() == [] and not store.path.exists()
    assert store.add(ONE)
    assert store.entries() == [ONE] == [store.get(ONE.id[:6])]
    assert store.entries(dsl="triton") == []
    assert store.forget(ONE.id) == ONE
    assert store.entries() == [] and store.matching(["relu"]) == {}


def test_the_same_kernel_is_one_entry_with_the_better_verdict(store: Store) -> None:
    fast, slow = replace(ONE, verdict=timed(2.0)), replace(ONE, verdict=timed(1.5))
    assert [store.add(one) for one in (ONE, fast, slow, replace(fast, trust="imported"))] == [True, True, False, False]
    assert store.entries() == [fast]


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"source": "class ModelNew: ..."}, False),
        ({"target": "other"}, False),
        ({"cases": ({"n": 3},)}, False),
        ({"dtype": "bfloat16"}, False),
        ({"verdict": timed(3.0)}, True),
        ({"task": "renamed"}, True),
    ],
)
def test_the_id_names_what_was_judged(changes: dict[str, object], same: bool) -> None:
    assert (replace(ONE, **changes).id == ONE.id) is same  # type: ignore[arg-type]
    assert replace(ONE, **changes).digest != ONE.digest  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"evidence": (Evidence.INTERPRETED, Evidence.COMPILED)}, ""),
        ({"status": Status.INCORRECT_NUMERICAL}, "INCORRECT_NUMERICAL"),
        ({"evidence": (Evidence.COMPILED,)}, "its numbers were not checked (evidence: compiled)"),
        ({"warnings": (FRAMEWORK_ALLOWED,)}, "the framework"),
    ],
)
def test_only_what_a_judge_found_right_belongs_in_it(changes: dict[str, object], words: str) -> None:
    reason = why_not(replace(VERDICT, **changes))  # type: ignore[arg-type]
    assert words in reason and bool(words) == bool(reason)


WRITER = """
import sys
from pathlib import Path
from known import entry, operator
from akgflow.knowledge import Store
text = operator("return torch.relu(x)")
store = Store(Path(sys.argv[1]))
for number in range(20):
    assert store.add(entry("relu", text, f"class ModelNew: name = 'n{sys.argv[2]}_{number}'"))
"""


@pytest.mark.thorough
def test_several_processes_make_and_fill_it_at_once(store: Store) -> None:
    support = Path(__file__).parents[1] / "support"
    script = f"import sys; sys.path.insert(0, {str(support)!r})\n{WRITER}"
    running = [subprocess.Popen([sys.executable, "-c", script, store.path, str(number)]) for number in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert len(store.entries()) == 60
    assert len(store.matching(["relu"])) == 60


def test_a_transaction_that_fails_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.add(ONE)

    def broken(_: object) -> str:
        raise ValueError("no text")

    monkeypatch.setattr("akgflow.knowledge.store.search_text", broken)
    with pytest.raises(KnowledgeError):
        store.add(entry("other", RELU, "# other"))
    with pytest.raises(KnowledgeError):
        store.add(replace(ONE, verdict=timed(2.0)))
    assert store.entries() == [ONE] and list(store.matching(["relu"])) == [ONE.id]


def test_a_file_that_is_no_store_is_named(store: Store) -> None:
    store.path.write_text("no database at all, however long it may be" * 40)
    for use in (store.entries, lambda: store.add(ONE)):
        with pytest.raises(KnowledgeError, match=r"knowledge\.sqlite cannot be used.*AKGFLOW_KNOWLEDGE"):
            use()


def test_a_store_of_a_later_version_is_left_alone(store: Store) -> None:
    with sqlite3.connect(store.path) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(KnowledgeError, match="later akgflow"):
        store.add(ONE)


def test_an_unknown_or_ambiguous_id_is_an_error(store: Store) -> None:
    store.add(ONE)
    for prefix in ("", "zz", "%", "_" * 16):
        with pytest.raises(ConfigError, match="there is no entry"):
            store.get(prefix)
    for number in range(20):
        store.add(entry("relu", RELU, f"# {number}"))
    with pytest.raises(ConfigError, match="several entries"):
        store.get("")


def test_an_export_comes_back_as_a_claim(store: Store) -> None:
    lines = list(to_lines([ONE, entry("other", RELU, "# other")]))
    found = from_lines(lines, "file")
    assert [one.trust for one in found] == ["imported", "imported"]
    assert replace(found[0], trust="judged") == ONE


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("class ModelNew", "class ModelNew2", "file:2: the entry was changed"),
        ('"PASSED"', '"PASSED "', "file:2: not an entry"),
        ("right on all 8", "right on all 9", "file:2: the entry was changed"),
        ("semicolon", "colon", "file:2: the entry was changed"),
        ('"akgflow knowledge": 1', '"akgflow knowledge": 2', "has the form 2"),
        ('"akgflow knowledge"', '"something"', "is not an export"),
    ],
)
def test_an_export_that_was_changed_is_refused(old: str, new: str, words: str) -> None:
    text = "\n".join(to_lines([ONE]))
    assert old in text
    with pytest.raises(ConfigError, match=words):
        from_lines(text.replace(old, new).split("\n"), "file")


NUMBERS = "TILE = 64\nFAST = True\nCPP = 'constexpr int T = 8; float e = 1e-5f;'\nclass ModelNew: pass\n"


@pytest.mark.parametrize(
    "other",
    [
        NUMBERS.replace("64", "128"),
        NUMBERS.replace("True", "False"),
        NUMBERS.replace("T = 8", "T = 16"),
        NUMBERS.replace("1e-5f", "0.00001f"),
        NUMBERS.replace("64", "-1"),
        f"# tuned\n{NUMBERS}",
    ],
)
def test_kernels_that_differ_in_constants_only_are_one_entry(knowledge: Path, other: str) -> None:
    store = Store(knowledge)
    slow, fast = entry("t", RELU, NUMBERS, timed(2.0)), entry("t", RELU, other, timed(3.0))
    assert store.add(slow) and store.add(fast)
    assert store.entries() == [fast]
    assert not store.add(slow)
    assert store.entries() == [fast]


@pytest.mark.parametrize(
    "changes",
    [
        {"source": NUMBERS.replace("TILE", "WIDTH")},
        {"source": NUMBERS.replace("float", "double")},
        {"dtype": "bfloat16"},
        {"cases": ({"m": 3},)},
        {"target": "other"},
    ],
    ids=str,
)
def test_other_differences_are_other_entries(knowledge: Path, changes: dict[str, object]) -> None:
    store = Store(knowledge)
    first = entry("t", RELU, NUMBERS, timed(2.0))
    assert store.add(first) and store.add(replace(first, **changes))  # type: ignore[arg-type]
    assert len(store.entries()) == 2


def test_each_workspace_has_a_store_of_its_own_and_sharing_is_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AKGFLOW_KNOWLEDGE")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    for name, text in {"one": "", "two": "", "both": "knowledge: {store: shared}\n"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "agents.yaml").write_text(f"version: 1\n{text}")
    paths = {name: api.open_store(tmp_path / name).path for name in ("one", "two", "both")}
    assert paths["one"] == tmp_path / "one" / ".akgflow" / "knowledge.sqlite"
    assert paths["two"] == tmp_path / "two" / ".akgflow" / "knowledge.sqlite"
    assert paths["both"] == tmp_path / "data" / "akgflow" / "knowledge.sqlite"
    assert api.open_store(tmp_path / "one", overrides=["knowledge.store=shared"]).path == paths["both"]
    Store(paths["one"]).add(entry("t", RELU, NUMBERS))
    assert [len(Store(path).entries()) for path in paths.values()] == [1, 0, 0]
    assert (tmp_path / "one" / ".akgflow" / ".gitignore").read_text() == "*\n"
