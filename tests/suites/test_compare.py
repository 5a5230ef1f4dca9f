"""What changed between two suites or runs: by the intervals, and with an exit code for pipelines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from documents import document
from written_suite import RIGHT, WRONG, Written, written_problem, written_suite

import akgflow
from akgflow.errors import ConfigError
from akgflow.suites import Comparison, FailOn, compare, read_scored

FAST = Written([RIGHT], {"eager": (2.0, 1.9, 2.1)})
BEFORE = {"one": FAST, "other": Written([RIGHT], {"eager": (1.0, 0.98, 1.02)}), "bad": Written([WRONG])}


def compared(tmp_path: Path, before: dict[str, Written], after: dict[str, Written]) -> Comparison:
    sides = (written_suite(tmp_path / name, some) for name, some in (("before", before), ("after", after)))
    return compare(*map(read_scored, sides))


def calls(found: Comparison) -> dict[str, str]:
    return {pair.problem: str(pair.call) for pair in found.pairs}


def test_a_suite_is_the_same_as_itself(tmp_path: Path) -> None:
    found = compared(tmp_path, BEFORE, BEFORE)
    assert set(calls(found).values()) == {"same"}
    assert [found.exit_code(one) for one in FailOn] == [0, 0, 0]
    assert not any(pair.diff for pair in found.pairs)


@pytest.mark.parametrize(
    ("after", "call", "codes"),
    [
        # By the intervals of both sides: worse, also where both are faster than the baseline.
        (replace(FAST, speeds={"eager": (1.7, 1.6, 1.8)}, source="fast = False\n"), "worse", (1, 0, 0)),
        (replace(FAST, speeds={"eager": (1.85, 1.75, 1.95)}), "same", (0, 0, 0)),
        (replace(FAST, speeds={"eager": (2.05, 1.95, 2.15)}), "same", (0, 0, 0)),
        (replace(FAST, speeds={"eager": (2.4, 2.2, 2.6)}), "better", (0, 0, 0)),
        (Written([WRONG]), "became wrong", (1, 1, 0)),
        (replace(FAST, device="another CPU", speeds={"eager": (1.0, 0.9, 1.1)}), "not compared", (0, 0, 0)),
        (Written([], impossible="no compiler"), "not compared", (0, 0, 0)),
        (Written([RIGHT]), "same", (0, 0, 0)),
    ],
)
def test_one_kernel_that_differs(tmp_path: Path, after: Written, call: str, codes: tuple[int, ...]) -> None:
    found = compared(tmp_path, BEFORE, {**BEFORE, "one": after})
    assert calls(found) == {"one": call, "other": "same", "bad": "same"}
    assert tuple(found.exit_code(one) for one in FailOn) == codes
    pair = next(pair for pair in found.pairs if pair.problem == "one")
    assert ("-fast = True" in pair.diff and "+fast = False" in pair.diff) is (after.source != FAST.source)


def test_what_became_right_and_what_got_worse_comes_first(tmp_path: Path) -> None:
    slower = replace(FAST, speeds={"eager": (1.0, 0.9, 1.1)})
    found = compared(tmp_path, BEFORE, {**BEFORE, "one": slower, "bad": FAST})
    assert list(calls(found).items()) == [("one", "worse"), ("other", "same"), ("bad", "became right")]
    assert (found.before.right, found.after.right) == (2, 3)
    assert found.before.tokens == found.after.tokens == 3 * 3_900


def test_cells_of_one_side_are_named_and_nothing_in_common_is_an_error(tmp_path: Path) -> None:
    found = compared(tmp_path / "some", BEFORE, {"one": FAST, "new": FAST})
    assert sorted(found.only.values()) == [("new/cpp-cpu",), ("other/cpp-cpu", "bad/cpp-cpu")]
    with pytest.raises(ConfigError, match="no cell in common"):
        compared(tmp_path / "none", {"one": FAST}, {"new": FAST})


def test_the_command_compares_runs_and_its_exit_code_is_for_pipelines(tmp_path: Path) -> None:
    before = written_problem(tmp_path / "before", "gemm", FAST)
    slower = replace(FAST, speeds={"eager": (1.0, 0.9, 1.1)}, source="fast = False\n")
    after = written_problem(tmp_path / "after", "gemm", slower)

    def akgflow(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "akgflow", "compare", str(before), str(after), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    done = akgflow()
    assert done.returncode == 1, done.stderr
    assert "worse" in done.stdout and "+fast = False" in done.stdout
    assert akgflow("--fail-on", "wrong").returncode == 0
    (pair,) = document(akgflow("--json").stdout)["pairs"]
    assert pair["call"] == "worse"


def test_suites_and_their_runs_are_found_by_name(tmp_path: Path) -> None:
    older, newer = (written_suite(tmp_path / "runs" / name, BEFORE) for name in ("mine-1", "mine-1-2"))
    os.utime(older / "suite.json", (1, 1))
    name = json.loads((newer / "suite.json").read_text())["suite"]
    found = {one: akgflow.score(one, workspace=tmp_path).folder for one in ("mine-1", name, None)}
    assert found == {"mine-1": str(older), name: str(newer), None: str(newer)}
    run = akgflow.read_run("mine-1-2/problems/other", workspace=tmp_path)
    assert run == akgflow.read_run(newer / "problems" / "other")
    with pytest.raises(ConfigError, match="there is no suite or run 'mine-3': did you mean 'mine-1'"):
        akgflow.compare("mine-3", "mine-1", workspace=tmp_path)
