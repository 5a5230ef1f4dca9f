"""The score of verdict files that are written by hand, against values that are computed by hand."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from written_suite import RIGHT, WRONG, Written, written_problem, written_suite

from akgflow.base.atomic import write_json
from akgflow.config import Unfit
from akgflow.runs.damage import read_file
from akgflow.suites import Score, read_scored, score, trace_lines
from akgflow.suites.cells import State
from akgflow.suites.folder import SUITE, SuiteRecord
from akgflow.suites.scoring import interval
from akgflow.terms import Evidence, Status

PROBLEMS = {
    "fast": Written([RIGHT], {"eager": (2.0, 1.9, 2.1), "torch.compile": (1.0, 0.9, 1.1)}, "easy"),
    "slow": Written([WRONG, RIGHT], {"eager": (0.8, 0.7, 0.9), "torch.compile": (0.25, 0.2, 0.3)}, "easy"),
    "never": Written([WRONG, WRONG, WRONG], level="hard"),
    "untimed": Written([Status.COMPILE_ERROR, WRONG, RIGHT], level="hard"),
    "elsewhere": Written([], impossible="there is no such device", level="hard", calls=0),
    "compiled": Written([RIGHT], evidence=Evidence.COMPILED, level="hard", calls=0),
}


@pytest.fixture
def found(tmp_path: Path) -> Score:
    return score(read_scored(written_suite(tmp_path / "suite", PROBLEMS)))


def value(found: Score, measure: str, at: float | None = None, baseline: str = "", group: int = 0) -> float | None:
    figure = found.groups[group].figure(measure, at, baseline)
    return None if figure is None else figure.value


def test_what_cannot_be_said_of_kernels_counts_nowhere(found: Score) -> None:
    every = found.groups[0]
    # What is impossible here, and what was compiled and never run.
    assert (every.problems, every.right, every.wrong, every.not_run, every.untimed) == (6, 3, 1, 2, 1)


@pytest.mark.parametrize(
    ("measure", "at", "baseline", "wanted"),
    [
        ("right", None, "", 3 / 4),
        ("right_at", 1, "", 1 / 4),
        ("right_at", 2, "", 2 / 4),
        ("right_at", 5, "", 3 / 4),
        ("right_at", 10, "", None),  # nobody had a sixth attempt
        # Of the wrong one and the two that were timed; a bound must be exceeded.
        ("fast", 0.8, "eager", 1 / 3),
        ("fast", 1.5, "eager", 1 / 3),
        ("fast", 2.0, "eager", 0.0),
        ("fast", 0.8, "torch.compile", 1 / 3),
        ("fast", 1.0, "torch.compile", 0.0),
        ("speedup", None, "eager", (2.0 * 0.8 * 1.0) ** (1 / 3)),
        ("speedup_of_right", None, "eager", math.sqrt(2.0 * 0.8)),
        ("speedup", None, "torch.compile", (1.0 * 0.25 * 1.0) ** (1 / 3)),
        ("speedup_of_right", None, "torch.compile", 0.5),
    ],
)
def test_figures(found: Score, measure: str, at: float | None, baseline: str, wanted: float | None) -> None:
    assert value(found, measure, at, baseline) == (None if wanted is None else pytest.approx(wanted))


def test_figures_by_level(found: Score) -> None:
    assert [group.name for group in found.groups] == ["all", "level easy", "level hard"]
    assert [value(found, "right", group=n) for n in (1, 2)] == [1.0, 0.5]
    # The right one of the hard problems was not timed: the wrong one remains, at 1.0, and nothing of right ones.
    assert [value(found, "speedup", None, "eager", group=2), value(found, "speedup_of_right", None, "eager", 2)] == [
        1.0,
        None,
    ]


def test_price(found: Score) -> None:
    price = found.price
    assert (price.calls, price.tokens, price.usd) == (4, 4 * 3_900, pytest.approx(0.016))
    assert (price.tokens_per_right, price.usd_per_right) == (4 * 3_900 / 3, pytest.approx(0.016 / 3))


def test_losers_come_first(found: Score) -> None:
    assert [cell.problem for cell in found.cells][:4] == ["never", "untimed", "slow", "fast"]
    assert {cell.problem: cell.reason for cell in found.cells}["elsewhere"] == "there is no such device"


def test_a_cell_with_several_cases_has_their_geometric_mean(tmp_path: Path) -> None:
    folder = written_suite(tmp_path / "s", {"a": Written([RIGHT], {"eager": (4.0, 2.0, 8.0)})})
    result = folder / "problems" / "a" / "result.json"
    data = json.loads(result.read_text())
    timing = data["jobs"][0]["verdict"]["timing"]
    timing.append({**timing[0], "speedup": 1.0, "interval": [0.5, 2.0]})
    result.write_text(json.dumps(data))
    (cell,) = read_scored(folder).cells
    assert cell.speeds["eager"] == pytest.approx((2.0, 1.0, 4.0))


@pytest.mark.parametrize(
    ("sums", "counts", "wanted"),
    [
        ([1.0, 1.0, 1.0], [1, 1, 1], (1.0, 1.0)),
        # Drawn twice from two: 0, 1/2 and 1, of which 0 and 1 come up in a quarter of the draws each.
        ([1.0, 0.0], [1, 1], (0.0, 1.0)),
        # A problem with more cells has more weight: the same draws give 0, 3/4 and 1.
        ([3.0, 0.0], [3, 1], (0.0, 1.0)),
        ([1.0], [1], (None, None)),
        ([1.0, 0.0], [1, 0], (None, None)),
    ],
)
def test_intervals(sums: list[float], counts: list[int], wanted: tuple[float | None, float | None]) -> None:
    assert interval(sums, counts) == wanted == interval(sums, counts)


def test_more_problems_narrow_an_interval_as_they_should() -> None:
    low, high = interval([1.0, 0.0] * 50, [1] * 100)
    assert low is not None and high is not None
    # The standard error of a share of a half over a hundred is 0.05, and 95 % are 1.96 of it to each side.
    assert (low, high) == (pytest.approx(0.402, abs=0.02), pytest.approx(0.598, abs=0.02))


def test_what_is_no_task_is_a_cell_that_counts_nowhere(tmp_path: Path) -> None:
    folder = written_suite(tmp_path / "s", {"a": Written([RIGHT])})
    record = read_file(folder / SUITE, SuiteRecord)
    assert record is not None
    write_json(folder / SUITE, replace(record, unfit=(Unfit("b", "2", "b.py:1:7: not valid Python"),)))
    found = score(read_scored(folder))
    assert [(one.problem, one.state) for one in found.cells] == [("a", State.RIGHT), ("b", State.NOT_RUN)]
    assert found.cells[1].reason == "b.py:1:7: not valid Python"
    assert (found.groups[0].right, found.groups[0].wrong, found.groups[0].not_run) == (1, 0, 1)


def test_the_trace_has_every_attempt(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in trace_lines(read_scored(written_suite(tmp_path / "s", PROBLEMS)))]
    attempts = [line for line in lines if line["line"] == "attempt" and line["problem"] == "untimed"]
    assert [(line["number"], line["attempt"]["status"]) for line in attempts] == [
        (1, "COMPILE_ERROR"),
        (2, "INCORRECT_NUMERICAL"),
        (3, "PASSED"),
    ]
    best = {line["problem"]: line for line in lines if line["line"] == "best"}
    assert set(best) == set(PROBLEMS)
    assert best["fast"]["speeds"]["eager"] == {"ratio": 2.0, "low": 1.9, "high": 2.1}


def test_the_command_shows_a_suite_and_a_single_run(tmp_path: Path) -> None:
    suite = written_suite(tmp_path / "suite", PROBLEMS)
    run = written_problem(tmp_path / "run", "alone", PROBLEMS["fast"])
    for folder, words in ((suite, ("never", "1.17x", "level hard", "0.75")), (run, ("alone", "2.00x eager"))):
        command = [sys.executable, "-m", "akgflow", "score", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert all(word in done.stdout for word in words), done.stdout


def test_the_page_counts_as_it_says(tmp_path: Path) -> None:
    """What the manual gives to count again is the score."""
    page = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    (snippet,) = re.findall(r"```python\n(.*?)```", page, re.S)
    of_page = {
        "one": Written([RIGHT], {"eager": (2.0, 1.9, 2.1)}),
        "two": Written([RIGHT], {"eager": (0.8, 0.7, 0.9)}),
        "bad": Written([WRONG]),
        "off": Written([], impossible="there is no such device", calls=0),
    }
    scored = read_scored(written_suite(tmp_path, of_page))
    (tmp_path / "trace.jsonl").write_text("".join(f"{line}\n" for line in trace_lines(scored)), encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", snippet], cwd=tmp_path, capture_output=True, text=True, check=True)
    counted = score(scored)
    assert done.stdout == f"{value(counted, 'speedup', None, 'eager'):.2f}x over 3 cells\n" == "1.17x over 3 cells\n"
    shown = (
        value(counted, "right"),
        value(counted, "fast", 1.0, "eager"),
        value(counted, "speedup_of_right", None, "eager"),
    )
    assert shown == (pytest.approx(2 / 3), pytest.approx(1 / 3), pytest.approx(1.265, abs=1e-3))
    assert all(text in page for text in ("= 1.17x", "= 1.26x", "| 2/3 |", "> 1: 1/3"))


def test_what_each_right_kernel_took_is_told_by_level(found: Score) -> None:
    by_name = {group.name: group.price for group in found.groups}
    assert by_name["all"] == found.price and found.price.tokens == 4 * 3_900
    assert (by_name["level easy"].tokens_per_right, by_name["level hard"].tokens_per_right) == (3_900, 2 * 3_900)
