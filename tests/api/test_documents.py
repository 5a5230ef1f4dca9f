"""What ``--json`` prints: each document has a schema, every command keeps to it, and other data do not fit."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from documents import document, validator
from small_task import OPERATOR, make_workspace
from written_suite import RIGHT, Written, written_suite

from akgflow.api import DOCUMENTS, document_schema
from akgflow.base import serial
from akgflow.cli import _main
from akgflow.speed import overall
from akgflow.terms import Evidence, Status
from akgflow.verdict import CaseResult, Correctness, Environment, KernelResources, Timing, Untimed, Verdict, Worst

Command = Callable[..., tuple[int, str, str]]
COMMANDS = Path(__file__).parents[2] / "akgflow" / "cli"

BARE = Verdict(Status.NOT_RUN, "No GPU here.", "nvidia_h200", (), Environment("cpu"), "2025-01-01T00:00:00Z")
TIMING = Timing(
    {"m": 1}, "eager", 1e-5, 2e-5, 2.0, (1.9, float("inf")), "faster", 24, 0.02, "NVIDIA H200", sizes=(1, 64)
)
FULL = replace(
    BARE,
    status=Status.INCORRECT_NUMERICAL,
    evidence=(Evidence.EXECUTED, Evidence.COMPILED),
    environment=Environment("NVIDIA H200", {"torch": "2.11"}),
    log="…",
    correctness=Correctness(
        float("inf"),
        float("nan"),
        (
            CaseResult({"m": 1, "dtype": "float16"}, "normal", Status.PASSED, 0.1, 0.2, 0.05, 0, 16),
            CaseResult(
                {"m": 1},
                "ties",
                Status.INCORRECT_NUMERICAL,
                float("inf"),
                1e-6,
                0.0,
                3,
                16,
                Worst(0, (1, 2), -1.0, 2.0),
            ),
        ),
    ),
    timing=(TIMING,),
    untimed=(Untimed({"m": 2}, "too slow"),),
    overall=overall((TIMING,), (Untimed({"m": 2}, "too slow"),)),
    beside=(TIMING,),
    resources=(KernelResources("k", "sm_90a", 32, 1024, 0, {"sgpr": 3}), KernelResources("k", "x")),
    absent={"compiled": "no ptxas"},
)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_document_has_a_schema_that_says_what_it_is(name: str) -> None:
    schema = document_schema(name)
    assert validator(name).is_valid({}) is False
    assert schema["properties"]["document"] == {"const": name} and len(schema["description"]) > 20
    assert {"document", "version"} < set(schema["required"])


def test_the_commands_print_these_documents_and_no_others() -> None:
    texts = "".join(path.read_text(encoding="utf-8") for path in COMMANDS.glob("*.py"))
    calls = re.findall(r"(?<!def )echo_json\(\s*([^,]+),", texts)
    printed = {name for call in calls for name in re.findall(r'"(\w+)"', call)}
    assert printed == set(DOCUMENTS)


@pytest.mark.parametrize("verdict", [BARE, FULL])
def test_verdicts_fit_their_schema(verdict: Verdict) -> None:
    assert document(serial.to_json(serial.document("verdict", verdict))) == serial.to_data(verdict)


@pytest.mark.parametrize(
    "change",
    [
        {"status": "GOOD"},
        {"evidence": ["guessed"]},
        {"seconds": "long"},
        {"message": None},
        {"version": 2},
        {"document": "x"},
    ],
)
def test_other_verdicts_do_not(change: dict[str, Any]) -> None:
    data = json.loads(serial.to_json(serial.document("verdict", FULL)))
    assert validator("verdict").is_valid(data) and not validator("verdict").is_valid(data | change)


def test_fields_are_described_where_their_class_does() -> None:
    run = document_schema("runs")["$defs"]["ListedRun"]["properties"]
    assert run["age"]["description"] == "Seconds since it was at work last."


SUITE = """\
version: 1
suite: mine
problems: [{path: .., select: operator.py}]
matrix: {dsl: [cpp], target: [cpu]}
workflow: no_model
"""


@pytest.fixture
def akgflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """A command in a workspace with a task, a suite and what a suite left; its code, output and errors."""
    make_workspace(tmp_path, "http://127.0.0.1:9")
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "mine.yaml").write_text(SUITE)
    (tmp_path / "operator.py").write_text(OPERATOR)
    written_suite(tmp_path / "runs" / "written", {"a": Written([RIGHT], {"eager": (2.0, 1.9, 2.1)})})
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = _main._guarded([*arguments])
        return code, *capsys.readouterr()

    return run


PRINTED = {
    "valid": ("validate", "scale"),
    "listing": ("list", "targets"),
    "plan": ("plan", "scale"),
    "suite_plan": ("plan", "mine"),
    "score": ("score", "written"),
    "comparison": ("compare", "written", "written"),
    "runs": ("runs", "list"),
    "run": ("runs", "show", "written"),
    "runs_cleaned": ("runs", "clean", "written", "--yes"),
    "cache": ("cache", "size"),
    "cache_cleaned": ("cache", "clean"),
    "doctor": ("doctor",),
    "entries": ("knowledge", "list"),
    "imported": ("import", "operator.py"),
}


@pytest.mark.parametrize("name", PRINTED)
def test_a_command_prints_what_fits(akgflow: Command, name: str) -> None:
    _, out, err = akgflow(*PRINTED[name], "--json")
    assert json.loads(out)["document"] == name, err
    document(out)


FAILURES = {
    "an option that there is not": (("validate", "--nothing"), 2, "--nothing"),
    "a command that there is not": (("validat",), 2, "validat"),
    "a file that is wrong": (("validate", "--set", "matrix=3", "scale"), 2, "matrix"),
    "a run that is not there": (("show", "nothing"), 2, "nothing"),
}


@pytest.mark.parametrize("what", FAILURES)
def test_whatever_fails_says_so_in_json(akgflow: Command, what: str) -> None:
    arguments, wanted, word = FAILURES[what]
    code, out, err = akgflow(*arguments, "--json")
    said = document(out)
    assert (code, said["exit_code"]) == (wanted, wanted)
    assert word in said["error"] and word in err


def test_the_schemas_are_listed_and_printed(akgflow: Command) -> None:
    _, listed, _ = akgflow("schema")
    assert [line.split()[0] for line in listed.splitlines()][-len(DOCUMENTS) :] == list(DOCUMENTS)
    assert json.loads(akgflow("schema", "score")[1]) == document_schema("score")
    code, _, err = akgflow("schema", "scor")
    assert code == 2 and "did you mean 'score'" in err
