"""Suites as files: which operators are problems, and what is wrong, with its place."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from foreign import EXAMPLES

from akgflow.cli._main import _guarded
from akgflow.config import find_suite, load_suite
from akgflow.config.types import Budget
from akgflow.errors import ConfigError, ExitCode

OPERATOR = """\
import torch


class Model(torch.nn.Module):
    def forward(self, x):
        return x


def get_inputs(n: int = 8):
    return [torch.randn(n)]


def get_init_inputs():
    return []
"""
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "suites").mkdir()
    (tmp_path / "tasks").mkdir()
    (tmp_path / "ops" / "hard").mkdir(parents=True)
    for number in range(1, 13):
        (tmp_path / "ops" / f"{number}_add.py").write_text(OPERATOR)
    (tmp_path / "ops" / "_shared.py").write_text("")
    (tmp_path / "ops" / "hard" / "scan.py").write_text(OPERATOR)
    return tmp_path


def suite(folder: Path, groups: str, more: str = "") -> Path:
    path = folder / "suites" / "mine.yaml"
    matrix = "matrix: {dsl: [cpp], target: [cpu]}\nworkflow: no_model\n"
    path.write_text(f"version: 1\nsuite: mine\nproblems:\n{groups}\n{matrix}{more}")
    return path


def names(folder: Path, groups: str) -> list[str]:
    suite(folder, groups)
    return [member.task.name for member in load_suite("mine").members]


@pytest.mark.parametrize(
    ("group", "wanted"),
    [
        ("{path: ../ops, limit: 3}", ["p1_add", "p2_add", "p3_add"]),
        ("{path: ../ops, select: [1_*.py, 10_*.py]}", ["p1_add", "p10_add"]),
        ('{path: ../ops, select: "hard/*.py"}', ["hard-scan"]),
        ('{path: ../ops, select: "**/s*.py"}', ["hard-scan"]),
    ],
)
def test_selection(folder: Path, group: str, wanted: list[str]) -> None:
    assert names(folder, f"  - {group}") == wanted


def test_a_seed_draws_the_same_problems_and_another_one_others(folder: Path) -> None:
    drawn = [names(folder, f"  - {{path: ../ops, sample: 5, seed: {seed}}}") for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) == 5


def test_groups_give_level_kind_weight_and_cases(folder: Path) -> None:
    groups = "  - {path: ../ops, limit: 1, level: 2, kind: softmax, weight: 3, cases: [{n: 4}]}\n"
    path = suite(folder, groups + '  - {path: ../ops, select: "hard/*.py"}', "budget: {usd: 1, tokens: 10k}\n")
    found = load_suite(path)
    first, second = found.members
    assert (first.level, first.weight, first.task.operator.kind, first.task.cases) == ("2", 3.0, "softmax", ({"n": 4},))
    assert (second.level, second.weight, second.task.operator.kind, second.task.cases) == ("hard", 1.0, None, ())
    assert found.budget == Budget(usd=1.0, tokens=10_000)


def test_the_store_is_left_out_unless_it_is_asked_for(folder: Path) -> None:
    group = "  - {path: ../ops, limit: 1}"
    assert load_suite(suite(folder, group)).workspace.knowledge.use == "never"
    assert load_suite(suite(folder, group, "knowledge: true\n")).workspace.knowledge.use == "auto"


def test_overrides_reach_the_suite(folder: Path) -> None:
    path = suite(folder, "  - {path: ../ops, limit: 2}", "budget: {usd: 1}\n")
    found = load_suite(path, overrides=["budget.usd=3", "matrix.dsl=[triton]", "models.default.model=manual/inbox"])
    assert {(member.task.budget.usd, member.task.dsls) for member in found.members} == {(3.0, ("triton",))}
    assert found.budget.usd == 3.0 and found.workspace.models["default"].model == "manual/inbox"
    with pytest.raises(ConfigError, match="knows no key 'limt'"):
        load_suite(path, overrides=["limt=3"])


@pytest.mark.parametrize(
    ("groups", "more", "wanted"),
    [
        ("  - {path: ../nowhere}", "", r"mine\.yaml:4:12: .*nowhere is no folder"),
        ("  - {path: ../ops, select: x*.py}", "", r"mine\.yaml:4:12: nothing in .*ops is selected"),
        ("  - {path: ../ops, sample: 99}", "", r"mine\.yaml:4:28: 'sample' draws 99 of 12 problems"),
        ("  - {path: ../ops, select: ../*.py}", "", r"mine\.yaml:4:28: '\.\./\*\.py' leaves the folder"),
        ("  - {path: ../ops, limit: 1}\n  - {path: ../ops, limit: 1}", "", r"two problems have the name 'p1_add'"),
        ("  - {path: ../ops, limt: 1}", "", r"knows no key 'limt': did you mean 'limit'"),
        ("  - {path: ../ops, limit: 1, cases: [{m: 1}]}", "", r"mine\.yaml:4:\d+: .*'m'"),
        ("  - {path: ../ops, limit: 1}", "gates: {evidnce: executed}\n", r"mine\.yaml:7:9: .*did you mean 'evidence'"),
        ("  - {path: ../ops, limit: 1}", "budget: {usd: -1}\n", r"mine\.yaml:7:15: .*at least 0"),
        ("  - {path: ../ops, limit: 1}", "baselines: [jax]\n", r"mine\.yaml:7:13: "),
    ],
)
def test_what_is_wrong_is_said_with_its_place(folder: Path, groups: str, more: str, wanted: str) -> None:
    with pytest.raises(ConfigError, match=wanted):
        load_suite(suite(folder, groups, more))


PUBLISHED = {
    "ops/13_broken.py": ("def f(:", r"13_broken\.py:1:7: not valid Python"),
    "ops/14_other.py": ("x = 1", r"14_other\.py' has no Model"),
    "ops/15_sized.py": (OPERATOR.replace("n: int = 8", "n"), "needs values for n"),
}


def test_a_problem_that_cannot_be_judged_is_set_aside_with_its_reason(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, (text, _) in PUBLISHED.items():
        (folder / name).write_text(text)
    (folder / "ops" / "16_far.py").write_text(f"import a_package_that_nobody_has\n{OPERATOR}")
    found = load_suite(suite(folder, "  - {path: ../ops}"))
    assert [one.task.name for one in found.members] == [f"p{number}_add" for number in range(1, 13)] + ["p16_far"]
    assert [one.name for one in found.unfit] == ["p13_broken", "p14_other", "p15_sized"]
    for one, (_, words) in zip(found.unfit, PUBLISHED.values(), strict=True):
        assert re.search(words, one.reason), one.reason
    assert _guarded(["plan", "mine"]) == ExitCode.DONE
    shown = " ".join(capsys.readouterr().out.split())
    assert "problems 16: 12 to run, 1 out of reach here, 3 that cannot be judged" in shown
    assert "varied from n=8" in shown and "imports a_package_that_nobody_has" in shown and "13_broken.py:1:7" in shown
    assert _guarded(["validate", "mine", "--json"]) == ExitCode.CONFIG
    said = json.loads(capsys.readouterr().out)
    assert len(said["shapes"]) == 13 and set(said["unfit"]) == {"p13_broken", "p14_other", "p15_sized"}


def test_a_suite_of_which_no_problem_can_be_judged_is_an_error(folder: Path) -> None:
    (folder / "ops" / "broken.py").write_text("def f(:")
    with pytest.raises(ConfigError, match=r"broken\.py:1:7: not valid Python"):
        load_suite(suite(folder, "  - {path: ../ops, select: broken.py}"))


def test_a_problem_that_is_a_folder_has_its_name(folder: Path) -> None:
    shutil.copytree(EXAMPLES / "sol", folder / "ops" / "sol")
    found = load_suite(suite(folder, '  - {path: ../ops, select: "**/definition.json"}'))
    assert [(one.task.name, one.level) for one in found.members] == [("sol-scaled_rows", "sol")]


def test_one_mistake_in_what_all_problems_share_is_one_problem(folder: Path) -> None:
    path = suite(folder, "  - {path: ../ops}")
    path.write_text(path.read_text().replace("[cpp]", "[cppp]"))
    with pytest.raises(ConfigError) as raised:
        load_suite(path)
    assert len(raised.value.problems) == 1


def test_a_file_that_is_no_suite_is_none(folder: Path) -> None:
    other = folder / "tasks" / "a.yaml"
    other.write_text("version: 1\nname: a\n")
    assert find_suite(other) is None and find_suite("mine") is None
    with pytest.raises(ConfigError, match="there is no suite 'mine'"):
        load_suite("mine")
    assert find_suite(suite(folder, "")) is not None


@pytest.mark.parametrize("path", sorted((ROOT / "suites").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_suites_load(path: Path) -> None:
    found = load_suite(path)
    assert found.name == path.stem and found.members


def test_the_suite_that_ships_has_every_operator_of_ours() -> None:
    members = load_suite(ROOT / "suites" / "no_model.yaml").members
    files = {member.task.operator.file for member in members}
    assert files == set((ROOT / "benchmarks" / "operators").rglob("*.py")) and len(members) >= 30
    assert len({member.task.operator.kind for member in members}) == 11 and all(member.level for member in members)
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert f"{len(members)} operators of eleven kinds" in page
