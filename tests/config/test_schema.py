"""The schemas are good schemas, describe everything, and say the same as the values that they describe."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft7Validator

from akgflow.base.platforms import PLATFORMS
from akgflow.base.serial import to_data
from akgflow.config import KINDS, schema_text
from akgflow.config._schema import wants_text
from akgflow.config.prompts.context import PROMPT_VARIABLES
from akgflow.speed import overall
from akgflow.terms import Evidence, Status
from akgflow.verdict import CaseResult, Correctness, Environment, KernelResources, Timing, Untimed, Verdict, Worst

# Where anything may stand, because what it is passed on to decides.
OPEN = {"extra_body", "response_format"}


def _schemas(schema: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every schema below this one that describes a value, with its path."""
    if isinstance(schema, dict):
        yield path, schema
        for word in ("properties", "definitions"):
            for name, child in schema.get(word, {}).items():
                yield from _schemas(child, (*path, word, name))
        for word in ("additionalProperties", "items", "then", "else"):
            yield from _schemas(schema.get(word), (*path, word))


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_draft_7(kind: str) -> None:
    schema = json.loads(schema_text(kind))
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    Draft7Validator.check_schema(schema)


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_is_described_and_no_other_allowed(kind: str) -> None:
    schema = json.loads(schema_text(kind))
    for path, found in _schemas(schema):
        if len(path) > 1 and path[-2] == "properties" and "$ref" not in found:
            assert len(found.get("description", "")) > 3, path
        if found.get("type") == "object" and path[-1:] not in {(name,) for name in OPEN}:
            assert "additionalProperties" in found, path
            if found.get("properties") and path[-1:] not in {("case",)}:
                assert found["additionalProperties"] is False, path


@pytest.mark.parametrize("kind", KINDS)
def test_it_has_no_one_of(kind: str) -> None:
    assert "oneOf" not in schema_text(kind)
    assert "anyOf" not in schema_text(kind)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("agents", {"version": 1, "models": {"a": {"model": {"env": "X", "default": "y"}}}}),
        ("agents", {"version": 1, "models": {"a": {"extends": "b", "api_base": {"env": "X", "default": None}}}}),
        ("hardware", {"version": 1, "targets": {"a": {"platform": "cuda", "arch": {"env": "X"}}}}),
        ("hardware", {"version": 1, "targets": {"a": {"extends": "b"}}}),
    ],
)
def test_an_editor_accepts_what_is_resolved_later(kind: str, data: object) -> None:
    assert list(Draft7Validator(json.loads(schema_text(kind))).iter_errors(data)) == []


@pytest.mark.parametrize(
    ("kind", "path", "text"),
    [
        ("agents", ("models", "x", "model"), True),
        ("agents", ("models", "x", "api_base"), True),
        ("agents", ("models", "x", "limits", "timeout"), False),
        ("agents", ("models", "x", "params", "extra_body", "y"), False),
        ("agents", ("models", "x", "fallbacks", 0), True),
        ("agents", ("workflows", "x", "steps", "y", "agent"), True),
        ("agents", ("workflows", "x", "steps", "y", "repair"), True),
        ("agents", ("workflows", "x", "steps", "y", "max_attempts"), False),
        ("hardware", ("targets", "x", "arch"), True),
        ("hardware", ("targets", "x", "facts", "sms"), False),
        ("task", ("cases", 0, "m"), False),
        ("task", ("nowhere", "y"), False),
    ],
)
def test_it_knows_where_text_is_wanted(kind: str, path: tuple[str | int, ...], text: bool) -> None:
    assert wants_text(kind, path) is text


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


@pytest.mark.parametrize("verdict", [BARE, FULL])
def test_verdicts_fit_their_schema(verdict: Verdict) -> None:
    data = json.loads(json.dumps(to_data(verdict), allow_nan=False))
    assert list(Draft7Validator(json.loads(schema_text("verdict"))).iter_errors(data)) == []


@pytest.mark.parametrize(
    "change", [{"status": "GOOD"}, {"extra": 1}, {"evidence": ["guessed"]}, {"seconds": "long"}, {"message": None}]
)
def test_other_verdicts_do_not(change: dict[str, Any]) -> None:
    data = {**to_data(FULL), **change}
    assert list(Draft7Validator(json.loads(schema_text("verdict"))).iter_errors(data))


def test_the_verdict_schema_has_every_status() -> None:
    schema = json.loads(schema_text("verdict"))
    assert schema["properties"]["status"]["enum"] == [str(status) for status in Status]


@pytest.mark.parametrize("kind", ["dsl", "task", "verdict"])
def test_each_schema_lists_the_evidence_once_and_in_order(kind: str) -> None:
    lists = re.findall(r"\[[^\[\]]*\"executed\"[^\[\]]*\]", schema_text(kind))
    words = [str(evidence) for evidence in Evidence]
    # A DSL that offers nothing on a platform leaves the platform out.
    assert [json.loads(found) for found in lists] == [words[:-1] if kind == "dsl" else words]


def test_the_schemas_know_the_platforms_of_the_table() -> None:
    target = json.loads(schema_text("hardware"))["definitions"]["target"]["properties"]
    assert target["platform"]["else"]["enum"] == list(PLATFORMS)
    assert list(json.loads(schema_text("dsl"))["properties"]["platforms"]["properties"]) == list(PLATFORMS)


def test_prompt_variables_are_names() -> None:
    assert all(name.isidentifier() for name in PROMPT_VARIABLES)
    assert len(set(PROMPT_VARIABLES)) == len(PROMPT_VARIABLES)
