"""Each format's example goes through the judge: its right solution passes, its wrong one does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from foreign import ALL, EXAMPLES, NAMES, Example
from judging import Bench

from akgflow.api import Question
from akgflow.machine import detect
from akgflow.terms import Status
from akgflow.verdict import Verdict


def judged(bench: Bench, example: Example, solution: str | Path, **more: str) -> tuple[Question, Verdict]:
    file = EXAMPLES / solution
    asked = {"dsl": example.dsl, "target": "cpu", "operator": EXAMPLES / example.problem, "time": False, **more}
    question = Question(file.read_text(encoding="utf-8"), file=file, **asked)
    return question, bench.runner.run(question.inquiry(detect()).verdict(bench.executor))


@pytest.mark.parametrize("example", ALL, ids=NAMES)
def test_the_right_solution_passes_on_every_case(bench: Bench, example: Example) -> None:
    question, verdict = judged(bench, example, example.right)
    assert verdict.status is Status.PASSED, verdict
    traces = [json.loads(line) for line in question.traces(verdict).splitlines()]
    assert [one["evaluation"]["status"] for one in traces] == ["PASSED"] * len(traces)
    assert verdict.correctness is not None
    assert len(traces) == len({json.dumps(dict(one.case)) for one in verdict.correctness.cases})


@pytest.mark.parametrize("example", ALL, ids=NAMES)
def test_the_wrong_solution_does_not(bench: Bench, example: Example) -> None:
    question, verdict = judged(bench, example, example.wrong)
    assert verdict.status is Status.INCORRECT_NUMERICAL, verdict
    assert "PASSED" not in {json.loads(line)["evaluation"]["status"] for line in question.traces(verdict).splitlines()}


def test_what_destination_passing_leaves_unwritten_is_seen(bench: Bench, tmp_path: Path) -> None:
    sol = ALL[0]
    text = (EXAMPLES / sol.right).read_text(encoding="utf-8")
    written = text.replace("at<float>(sums)[i] = sum;", "if (i % 2 == 0) at<float>(sums)[i] = sum;")
    assert written != text
    (tmp_path / "half.json").write_text(written)
    _, verdict = judged(bench, sol, tmp_path / "half.json")
    assert verdict.status is Status.INCORRECT_NUMERICAL, verdict


def test_a_compiler_error_names_the_solution_s_own_file_and_line(bench: Bench, tmp_path: Path) -> None:
    text = (EXAMPLES / ALL[0].right).read_text(encoding="utf-8").replace("float sum = 0;", "float sum = none;")
    (tmp_path / "broken.json").write_text(text)
    _, verdict = judged(bench, ALL[0], tmp_path / "broken.json")
    assert verdict.status is Status.COMPILE_ERROR, verdict
    assert "rows.cpp:8" in f"{verdict.message}\n{verdict.log}", verdict.log


def test_an_error_in_a_submission_names_its_line(bench: Bench, tmp_path: Path) -> None:
    bot = ALL[2]
    text = (EXAMPLES / bot.right).read_text(encoding="utf-8").replace("    a, b = data\n", "    a, b, c = data\n")
    (tmp_path / "three.py").write_text(text)
    _, verdict = judged(bench, bot, tmp_path / "three.py")
    assert verdict.status is Status.RUNTIME_ERROR, verdict
    assert "line 17" in f"{verdict.message}\n{verdict.log}" or ":17" in f"{verdict.message}\n{verdict.log}", verdict


def test_a_python_solution_of_the_framework_is_a_fallback_unless_it_is_allowed(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "run.py"
    file.write_text("def run(x, weight, sums):\n    sums.copy_((x * weight).sum(-1))\n")
    _, verdict = judged(bench, ALL[1], file, framework="allow")
    assert verdict.status is Status.PASSED, verdict
    _, verdict = judged(bench, ALL[1], file)
    assert verdict.status is Status.FALLBACK, verdict
