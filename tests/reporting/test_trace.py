"""A verdict as traces: what flashinfer-trace's own readers demand of each status, and nothing that was not found."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from foreign import EXAMPLES

from akgflow.config import check_operator
from akgflow.config.types import Operator
from akgflow.reporting.trace import traces
from akgflow.terms import Evidence, Status
from akgflow.verdict import CaseResult, Correctness, Environment, Timing, Verdict

FIRST: dict[str, Any] = {"rows": 16, "chosen": 7, "bias": 0.5}
SECOND: dict[str, Any] = {"rows": 33, "chosen": 40, "bias": -1.25}
THEIRS = {"PASSED", "INCORRECT_SHAPE", "INCORRECT_NUMERICAL", "INCORRECT_DTYPE", "RUNTIME_ERROR", "COMPILE_ERROR"}


@pytest.fixture(scope="module")
def operator() -> Operator:
    return check_operator(EXAMPLES / "sol/scaled_rows", ())


def verdict(status: Status, *results: CaseResult, timing: tuple[Timing, ...] = ()) -> Verdict:
    found = Correctness(0.5, 0.25, results) if results else None
    where = Environment("a machine", {"torch": "2"})
    return Verdict(status, "why", "cpu", (Evidence.EXECUTED,), where, "2026-01-01T00:00:00Z", "log", found, timing)


def result(case: dict[str, Any], status: Status = Status.PASSED, error: float = 1e-4, **more: Any) -> CaseResult:
    return CaseResult(case, "operator", status, error, **more)


@pytest.mark.parametrize("status", list(Status))
def test_each_status_has_the_members_that_readers_demand(status: Status, operator: Operator) -> None:
    results = (result(FIRST, status), result(SECOND)) if status is Status.INCORRECT_NUMERICAL else ()
    if status is Status.PASSED:
        results = (result(FIRST), result(SECOND))
    for one in traces(verdict(status, *results), operator, "mine"):
        assert (one["definition"], one["solution"]) == ("scaled_rows_c8", "mine")
        found = one["evaluation"]
        if status is Status.NOT_RUN:
            assert found is None
            continue
        assert found["status"] in {*THEIRS, "TIMEOUT", "REWARD_HACK"}
        assert (found["correctness"] is not None) == (found["status"] in ("PASSED", "INCORRECT_NUMERICAL"))
        assert found["performance"] is None
        assert found["akgflow"]["status"] == str(status)
        assert json.loads(json.dumps(one)) == one


def test_the_workload_is_the_problem_s_own(operator: Operator) -> None:
    lines = (EXAMPLES / "sol/scaled_rows/workload.jsonl").read_text().splitlines()
    found = traces(verdict(Status.PASSED, result(FIRST), result(SECOND)), operator, "mine")
    assert [one["workload"] for one in found] == [json.loads(line) for line in lines]


def test_a_kernel_that_is_refused_passes_no_workload(operator: Operator) -> None:
    for status in (Status.INCORRECT_NUMERICAL, Status.REFUSED, Status.FALLBACK):
        found = traces(verdict(status, result(FIRST), result(SECOND)), operator, "mine")
        assert "PASSED" not in {one["evaluation"]["status"] for one in found}


def test_times_are_those_of_the_workload(operator: Operator) -> None:
    timing = Timing(FIRST, "eager", 2e-3, 3e-3, 1.5, (1.4, 1.6), "faster", 10, 0.01, "cpu")
    found = traces(verdict(Status.PASSED, result(FIRST), result(SECOND), timing=(timing,)), operator, "mine")
    assert found[0]["evaluation"]["performance"] == {
        "latency_ms": 2.0,
        "reference_latency_ms": 3.0,
        "speedup_factor": 1.5,
    }
    assert found[1]["evaluation"]["performance"] is None


@pytest.mark.parametrize(("error", "met"), [(1e-4, True), (1e-2, None), (float("inf"), None), (float("nan"), None)])
def test_the_problem_s_tolerance_is_stated_beside_the_verdict(
    error: float, met: bool | None, operator: Operator
) -> None:
    found = traces(verdict(Status.PASSED, result(FIRST, error=error)), operator, "mine")
    told = found[0]["evaluation"]["akgflow"]["tolerance"]
    assert (told["max_atol"], told["required_matched_ratio"], told["met"]) == (1e-3, 0.99, met)
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(
    ("check", "error", "met"),
    [
        ({"mode": "elementwise", "max_atol": 1e-3, "max_error_cap": None}, 1e-4, True),
        ({"mode": "elementwise", "max_atol": 1e-3, "max_error_cap": 1e-5}, 1e-4, None),
        ({"mode": "normalized_max", "max_atol": 1e-3}, 1e-4, None),
        ({"type": "exact"}, 0.0, None),
    ],
)
def test_checks_of_outputs_are_stated_as_they_are(
    check: dict[str, Any], error: float, met: bool | None, operator: Operator
) -> None:
    made = operator.translation
    assert made is not None
    other = replace(made, workloads=[{"uuid": "a", "axes": {}, "checks": [check]}, *made.workloads[1:]])
    found = traces(verdict(Status.PASSED, result(FIRST, error=error)), replace(operator, translation=other), "mine")
    assert found[0]["evaluation"]["akgflow"]["tolerance"] == {"checks": [check], "met": met}


def test_secret_cases_and_operators_without_workloads(tmp_path: Path) -> None:
    plain = Operator(tmp_path / "softmax.py", "")
    found = traces(verdict(Status.PASSED, result({"n": 4}), result({"n": 5}, secret=True)), plain, "mine")
    assert [(one["definition"], one["workload"]["axes"]) for one in found] == [("softmax", {"n": 4})]
    again = traces(replace(verdict(Status.PASSED, result({"n": 4})), seconds=3.0), plain, "other")
    assert again[0]["workload"]["uuid"] == found[0]["workload"]["uuid"]
